import { parseMessage, type Message } from './messages.ts'
import type { Surroundings } from './surroundings.ts'

/** The other tabs of the origin. */
export interface Tabs {
  readonly tell: (message: Message) => void
  /** Asks them for a token, and waits until one has said something, but not for long. */
  readonly ask: () => Promise<void>
  readonly close: () => void
}

/** They answer in a few milliseconds, unless the machine is busy. */
const ASK_MS = 250

/** `hear` gets what they say. */
export function createTabs(around: Surroundings, name: string, hear: (message: Message) => void): Tabs {
  let heard = () => {}
  const { post, close } = around.openChannel(name, (data) => {
    const message = parseMessage(data)
    if (!message) return
    hear(message)
    if (message.type !== 'ask') heard()
  })
  return {
    tell: post,
    ask: () =>
      new Promise((done) => {
        heard = done
        around.after(ASK_MS, done)
        post({ type: 'ask' })
      }),
    close,
  }
}
