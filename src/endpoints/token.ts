import { z } from 'zod'
import type { Client } from '../client.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readForm } from '../http/body.ts'
import { authenticateClient } from '../http/client-authentication.ts'
import type { RequestContext } from '../http/context.ts'
import { oauthError } from '../http/oauth-error.ts'
import { tokenAnswer } from '../http/token-answer.ts'
import type { Parts } from '../parts.ts'
import { readIdempotencyKey, refresh, type Exchange } from './refresh.ts'

const request = z.object({
  grant_type: z.string(),
  refresh_token: z.string().optional(),
  scope: z.string().optional(),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
})

/** POST /oauth/token: the refresh grant, for stock OAuth clients. RFC 6749 section 6; rotation as at /v1/refresh. */
export function tokenEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    const form = await readForm(c, request)
    if (!form.ok) return oauthError(c, form.failure)
    // Before the client: no password is read here, whoever asks (RFC 9700 section 2.4).
    if (form.value.grant_type !== 'refresh_token') return oauthError(c, { reason: 'grant_unsupported' })
    const client = await authenticateClient(c, parts.config.clients, form.value)
    if (!client.ok) return oauthError(c, client.failure)
    const grant = readGrant(c, client.value, form.value)
    if (!grant.ok) return oauthError(c, grant.failure)
    const actor = readActor(c, parts.config, 'user:')
    const tokens = await refresh(parts, { ...grant.value, actor })
    return tokens.ok ? tokenAnswer(c, parts.config.issuer, tokens.value) : oauthError(c, tokens.failure)
  }
}

/** A browser's refresh token is in its cookie, and is exchanged at /v1/refresh only. */
function readGrant(
  c: RequestContext,
  client: Client,
  { refresh_token, scope }: z.infer<typeof request>,
): Result<Omit<Exchange, 'actor'>, Failure> {
  if (client.kind !== 'native') return failed({ reason: 'client_not_allowed' })
  if (refresh_token === undefined) return failed({ reason: 'bad_request', detail: 'Missing or wrong: refresh_token.' })
  const wanted = checkScope(client, scope)
  if (!wanted.ok) return wanted
  const attempt = readIdempotencyKey(c)
  if (!attempt.ok) return attempt
  return ok({ presented: refresh_token, allowed: [client], scope, attempt: attempt.value, log: c.get('log') })
}

/** All of the client's scope, or less if its tokens have room for a scope of their own. The order does not matter. */
function checkScope({ scope: granted = '', accessToken }: Client, wanted: string | undefined): Result<void, Failure> {
  if (wanted === undefined) return ok(undefined)
  const [has, wants] = [new Set(granted.split(' ')), new Set(wanted.split(' '))]
  if (![...wants].every((one) => has.has(one))) return refuseScope('The session was not granted this scope.')
  if (accessToken === 'opaque' && wants.size < has.size)
    return refuseScope('An opaque access token always carries the whole scope of its client.')
  return ok(undefined)
}

function refuseScope(detail: string): Result<never, Failure> {
  return failed({ reason: 'scope_refused', detail })
}
