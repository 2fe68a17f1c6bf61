import type { Client } from '../client.ts'
import { failed, ok, type Result } from '../failure.ts'
import type { RequestContext } from './context.ts'

/**
 * The browser clients that live at the request's `Origin`. Every call that a cookie can authorize or that sets one
 * needs such an origin: browsers send it on every cross-origin and every POST request, and a page cannot forge it.
 */
export function readBrowserClients(
  c: RequestContext,
  clients: readonly Client[],
): Result<readonly Client[], { reason: 'origin_foreign' }> {
  const origin = c.req.header('Origin')
  const here = clients.filter(({ kind, origins }) => kind === 'browser' && origin && origins.includes(origin))
  return here.length > 0 ? ok(here) : failed({ reason: 'origin_foreign' })
}
