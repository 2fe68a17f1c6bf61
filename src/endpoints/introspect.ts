import { z } from 'zod'
import { readForm } from '../http/body.ts'
import { authenticateService } from '../http/client-authentication.ts'
import type { RequestContext } from '../http/context.ts'
import { oauthError } from '../http/oauth-error.ts'
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
    if (!checked.ok) return c.json({ active: false })
    const token = checked.value
    return c.json({
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
    })
  }
}
