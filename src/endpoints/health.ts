import { KeyRingUnreadable, StoreUnavailable } from '../failure.ts'
import type { RequestContext } from '../http/context.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'

/** GET /healthz: the process answers. */
export function healthEndpoint(c: RequestContext): Response {
  return c.json({ status: 'ok' })
}

/** GET /readyz: the store answers and holds a key ring that opens; 503 names what is missing. */
export function readyEndpoint({ keyRing }: Pick<Parts, 'keyRing'>) {
  return async (c: RequestContext): Promise<Response> => {
    try {
      await keyRing.tend()
      return c.json({ status: 'ready' })
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      return problem(c, { reason: 'not_ready', missing: [error instanceof KeyRingUnreadable ? 'keys' : 'store'] })
    }
  }
}
