import type { RequestContext } from '../http/context.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'

/** GET /healthz: the process answers. */
export function healthEndpoint(c: RequestContext): Response {
  return c.json({ status: 'ok' })
}

/** GET /readyz: the store answers and holds a ring that opens; 503 names what is missing. */
export function readyEndpoint({ store, keyRing }: Pick<Parts, 'store' | 'keyRing'>) {
  const parts = {
    store: () => store.readKeyRing(),
    keys: () => keyRing.tend(),
  }
  return async (c: RequestContext): Promise<Response> => {
    const asked = await Promise.allSettled(Object.values(parts).map((ask) => ask()))
    const missing = Object.keys(parts).filter((_, i) => asked[i]?.status === 'rejected')
    return missing.length > 0 ? problem(c, { reason: 'not_ready', missing }) : c.json({ status: 'ready' })
  }
}
