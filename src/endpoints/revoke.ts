import { z } from 'zod'
import type { Client } from '../client.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readForm } from '../http/body.ts'
import { authenticateClient } from '../http/client-authentication.ts'
import type { RequestContext } from '../http/context.ts'
import { oauthError } from '../http/oauth-error.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../parts.ts'
import type { Actor } from '../store/audit.ts'
import { readAccessToken } from '../tokens/active-token.ts'
import { familyDigest, parseRefreshToken } from '../tokens/refresh.ts'

const request = z.object({
  token: z.string(),
  // Both kinds tell themselves apart.
  token_type_hint: z.string().optional(),
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
})

/**
 * POST /oauth/revoke: RFC 7009. A refresh token ends its session, and with it all access tokens; an access token is denied
 * alone. A token that means nothing is 200 as well; another client's is refused and left alone.
 */
export function revokeEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    const form = await readForm(c, request)
    if (!form.ok) return oauthError(c, form.failure)
    const client = await authenticateClient(c, parts.config.clients, form.value)
    if (!client.ok) return oauthError(c, client.failure)
    const actor = readActor(c, parts.config, `client:${client.value.id}`)
    const revocation = { presented: form.value.token, client: client.value, log: c.get('log'), actor }
    const revoked = await revoke(parts, revocation)
    if (!revoked.ok) return oauthError(c, revoked.failure)
    return c.body(null, 200, { 'Cache-Control': 'no-store' })
  }
}

interface Revocation {
  readonly presented: string
  readonly client: Client
  readonly log: Log
  readonly actor: Actor
}

async function revoke(parts: Parts, revocation: Revocation): Promise<Result<void, Failure>> {
  const ended = await revokeSession(parts, revocation)
  return ended ?? revokeAccessToken(parts, revocation)
}

/** Undefined if it is no refresh token. */
async function revokeSession(
  { store, clock, macKeys, liveCheck }: Parts,
  { presented, client, log, actor }: Revocation,
): Promise<Result<void, Failure> | undefined> {
  const token = await parseRefreshToken(presented, macKeys)
  if (!token.ok) return undefined
  const { userId, sid } = token.value
  const ending = { userId, sid, familyDigest: await familyDigest(token.value), clientId: client.id }
  try {
    const outcome = await store.endSession({ ...ending, nowMs: clock.nowMs(), actor })
    if (outcome === 'foreign') return failed({ reason: 'foreign' })
    log.event('token.revoked', { user_id: userId, session_id: sid, client_id: client.id, detail: outcome })
    return ok(undefined)
  } finally {
    // Even if the store gave no answer: it may have ended the session.
    liveCheck.forget(userId)
  }
}

/** Decided where the record is, not by what this server remembers. */
async function revokeAccessToken(
  parts: Parts,
  { presented, client, log, actor }: Revocation,
): Promise<Result<void, Failure>> {
  const { store, clock, liveCheck } = parts
  const token = await readAccessToken(parts, presented, { certain: true })
  if (!token.ok) return ok(undefined)
  const { userId, sid, jti, exp } = token.value
  try {
    const denial = { userId, sid, clientId: client.id, jti, expMs: exp * 1000, nowMs: clock.nowMs(), actor }
    const outcome = await store.denyToken(denial)
    if (outcome === 'foreign') return failed({ reason: 'foreign' })
    log.event('token.revoked', { user_id: userId, session_id: sid, client_id: client.id, jti, detail: outcome })
    return ok(undefined)
  } finally {
    liveCheck.forget(userId)
  }
}
