import Bowser from 'bowser'
import type { RequestContext } from './context.ts'

/** What the record has room for. */
const LABEL_LIMIT = 32
/** Nobody's browser says more; parsing what somebody made up costs time. */
const USER_AGENT_LIMIT = 512

/** What the user may call the device of a session, as in `Firefox on Linux`; empty when the request does not tell. */
export function readDevice(c: RequestContext): string {
  const userAgent = c.req.header('User-Agent')?.slice(0, USER_AGENT_LIMIT)
  if (!userAgent) return ''
  const { browser, os } = Bowser.parse(userAgent)
  return toLabel([browser.name, os.name].filter((name) => name).join(' on '))
}

/** What the record has room for of what a device is called. */
export function toLabel(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '').slice(0, LABEL_LIMIT)
}
