import { z } from 'zod'
import { KeyRingUnreadable, StoreUnavailable } from '../failure.ts'
import type { RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'

const healthy = z.object({ status: z.literal('ok') })
const ready = z.object({ status: z.literal('ready') })

export const healthOperation: Operation = {
  id: 'health',
  tag: 'Health',
  summary: 'Ask whether the process answers',
  success: { status: 200, description: 'It does.', content: { 'application/json': healthy } },
  failures: [],
}

export const readyOperation: Operation = {
  id: 'readiness',
  tag: 'Health',
  summary: 'Ask whether the service can do its work',
  success: {
    status: 200,
    description: 'The store answers and holds its keys.',
    content: { 'application/json': ready },
  },
  failures: ['not_ready'],
}

/** GET /healthz: the process answers. */
export function healthEndpoint(c: RequestContext): Response {
  return c.json({ status: 'ok' } satisfies z.infer<typeof healthy>)
}

/** GET /readyz: the store answers and holds a key ring that opens; 503 names what is missing. */
export function readyEndpoint({ keyRing }: Pick<Parts, 'keyRing'>) {
  return async (c: RequestContext): Promise<Response> => {
    try {
      await keyRing.tend()
      return c.json({ status: 'ready' } satisfies z.infer<typeof ready>)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      return problem(c, { reason: 'not_ready', missing: [error instanceof KeyRingUnreadable ? 'keys' : 'store'] })
    }
  }
}
