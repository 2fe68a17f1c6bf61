import { z } from 'zod'
import { toOAuthWire, type Failure } from '../failure.ts'
import type { RequestContext } from './context.ts'

export const oauthErrorBody = z
  .object({ error: z.string().describe('What programs go by.'), error_description: z.string() })
  .meta({ ref: 'OAuthError', description: 'Why a request below /oauth was refused: RFC 6749 section 5.2.' })

/** A failure as it is told below `/oauth`. */
export function describeOAuthError(failure: Failure) {
  const { status, headers = {}, error, description } = toOAuthWire(failure)
  const body: z.infer<typeof oauthErrorBody> = { error, error_description: description }
  return { status, headers, body, code: error }
}

/** A failure as an OAuth error. RFC 6749 section 5.2. */
export function oauthError(c: RequestContext, failure: Failure): Response {
  const { status, headers, body } = describeOAuthError(failure)
  return c.json(body, status, { 'Cache-Control': 'no-store', ...headers })
}
