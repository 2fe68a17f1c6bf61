import { toOAuthWire, type Failure } from '../failure.ts'
import type { RequestContext } from './context.ts'

/** A failure as an OAuth error. RFC 6749 section 5.2. */
export function oauthError(c: RequestContext, failure: Failure): Response {
  const { status, error, description, headers } = toOAuthWire(failure)
  return c.json({ error, error_description: description }, status, { 'Cache-Control': 'no-store', ...headers })
}
