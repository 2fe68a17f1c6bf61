import { toWire, type Failure } from '../failure.ts'
import type { RequestContext } from './context.ts'

/** A failure as `application/problem+json` with a stable `code`. RFC 9457 section 3. */
export function problem(c: RequestContext, failure: Failure): Response {
  const { status, headers, ...rest } = toWire(failure)
  const body = { type: 'about:blank', status, ...rest, request_id: c.get('requestId') }
  return c.body(JSON.stringify(body), status, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...headers,
  })
}
