import { z } from 'zod'
import type { SessionTokens } from '../tokens/session-tokens.ts'
import type { RequestContext } from './context.ts'
import type { Operation } from './operation.ts'
import { setRefreshCookie } from './refresh-cookie.ts'

export const tokensBody = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.number().describe('Seconds.'),
    session_id: z.string(),
    scope: z.string().optional().describe('Space-separated, if the client has any.'),
    refresh_token: z.string().optional().describe('Not for a browser, which gets it as a cookie.'),
    refresh_expires_in: z.number().optional().describe('Seconds, with `refresh_token`.'),
  })
  .meta({ ref: 'Tokens', description: 'RFC 6749 section 5.1.' })

export const tokenSuccess: Operation['success'] = {
  status: 200,
  description: 'An access token, and the refresh token of the next generation.',
  content: { 'application/json': tokensBody },
}

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
export function describeTokens(tokens: SessionTokens): z.infer<typeof tokensBody> {
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
