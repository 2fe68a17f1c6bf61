import { z } from 'zod'
import { toWire, type Failure } from '../failure.ts'
import type { RequestContext } from './context.ts'

/** The members that RFC 9457 names, and ours: programs go by `code`. */
export const problemBody = z
  .object({
    type: z.literal('about:blank'),
    status: z.int().describe('The status of the answer.'),
    code: z.string().describe('What programs go by. It never changes.'),
    title: z.string().describe('The same for people.'),
    detail: z.string().optional().describe('What this request lacks. It repeats nothing that was sent.'),
    missing: z.array(z.string()).readonly().optional().describe('What the service waits for.'),
    request_id: z.string().describe('The X-Request-Id of the answer, which the log names too.'),
  })
  .meta({ ref: 'Problem', description: 'Why a request was refused: RFC 9457.' })

/** A failure as it is told outside of `/oauth`. */
export function describeProblem(failure: Failure, requestId: string) {
  const { status, headers = {}, ...rest } = toWire(failure)
  const body: z.infer<typeof problemBody> = { type: 'about:blank', status, ...rest, request_id: requestId }
  return { status, headers, body, code: rest.code }
}

/** A failure as `application/problem+json` with a stable `code`. RFC 9457 section 3. */
export function problem(c: RequestContext, failure: Failure): Response {
  const { status, headers, body } = describeProblem(failure, c.get('requestId'))
  return c.body(JSON.stringify(body), status, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...headers,
  })
}
