import { z } from 'zod'
import { readForm } from '../http/body.ts'
import { authenticateService } from '../http/client-authentication.ts'
import type { RequestContext } from '../http/context.ts'
import { oauthError } from '../http/oauth-error.ts'
import type { Operation } from '../http/operation.ts'
import { createRequestLimit } from '../http/request-limit.ts'
import { namesOf } from '../names.ts'
import type { Parts } from '../parts.ts'
import { checkAccessToken } from '../tokens/active-token.ts'
import { oneOrMany } from '../tokens/session-tokens.ts'

const request = z.object({
  token: z.string(),
  token_type_hint: z.string().optional(),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
})

const active = z.object({
  active: z.literal(true),
  token_type: z.literal('Bearer'),
  iss: z.string(),
  sub: z.string().describe('The user, or the subject of another login system.'),
  aud: z.union([z.string(), z.array(z.string())]),
  client_id: z.string(),
  iat: z.number(),
  exp: z.number(),
  jti: z.string(),
  sid: z.string().describe('The session.'),
  auth_time: z.number(),
  amr: z.array(z.string()).optional().describe('How the user was authenticated, where that is known: RFC 8176.'),
  roles: z.array(z.string()),
  scope: z.string().optional(),
})
const inactive = z.object({ active: z.literal(false) })

export const introspectOperation: Operation = {
  id: 'introspect',
  tag: 'OAuth',
  summary: 'Ask whether a token is good',
  description: 'For services: RFC 7662. The secret may be in the form instead: `client_secret_post`.',
  security: ['client', 'none'],
  form: request,
  success: {
    status: 200,
    description: 'What the token stands for, or that it is not active.',
    content: { 'application/json': z.union([active, inactive]) },
  },
  failures: ['client_unauthenticated', 'client_not_allowed', 'too_many_attempts', 'unavailable'],
}

/**
 * POST /oauth/introspect: RFC 7662, for services. Always the store's own answer, never one from memory.
 *
 * A token that is not meant for the service that asks is as inactive to it as one that has ended.
 */
export function introspectEndpoint(parts: Parts) {
  const { clients, issuer, introspectionsPerSecond } = parts.config
  const limit = createRequestLimit(introspectionsPerSecond, parts.clock)
  return async (c: RequestContext): Promise<Response> => {
    const form = await readForm(c, request)
    if (!form.ok) return oauthError(c, form.failure)
    const client = await authenticateService(c, clients, form.value)
    if (!client.ok) return oauthError(c, client.failure)
    const admitted = limit.admit(client.value.id)
    if (!admitted.ok) return oauthError(c, admitted.failure)
    const { audiences } = client.value
    const checked = await checkAccessToken(parts, form.value.token, { audiences, fresh: true })
    c.header('Cache-Control', 'no-store')
    if (!checked.ok) return c.json({ active: false } satisfies z.infer<typeof inactive>)
    const token = checked.value
    const body: z.infer<typeof active> = {
      active: true,
      token_type: 'Bearer',
      iss: issuer,
      sub: token.sub,
      aud: oneOrMany(token.audiences),
      client_id: token.clientId,
      iat: token.iat,
      exp: token.exp,
      jti: token.jti,
      sid: token.sid,
      auth_time: token.authTime,
      amr: token.amr === '' ? undefined : namesOf(token.amr),
      roles: namesOf(token.roles),
      scope: token.scope,
    }
    return c.json(body)
  }
}
