import type { SessionTokens } from '../tokens/session-tokens.ts'
import type { RequestContext } from './context.ts'
import { setRefreshCookie } from './refresh-cookie.ts'

/**
 * The token answer, RFC 6749 section 5.1. A browser's refresh token goes into its cookie and nowhere else; other
 * clients get it in the body.
 */
export function tokenAnswer(c: RequestContext, issuer: string, tokens: SessionTokens): Response {
  if (tokens.client.kind === 'browser') setRefreshCookie(c, issuer, tokens.refreshToken, tokens.refreshExpiresInSeconds)
  c.header('Cache-Control', 'no-store')
  c.header('Pragma', 'no-cache')
  return c.json(describeTokens(tokens))
}

/** The members of a token answer. */
export function describeTokens(tokens: SessionTokens) {
  return {
    access_token: tokens.accessToken,
    token_type: 'Bearer',
    expires_in: tokens.expiresInSeconds,
    session_id: tokens.sid,
    scope: tokens.scope,
    ...(tokens.client.kind !== 'browser' && {
      refresh_token: tokens.refreshToken,
      refresh_expires_in: tokens.refreshExpiresInSeconds,
    }),
  }
}
