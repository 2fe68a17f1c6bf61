import { z } from 'zod'
import type { Client } from '../client.ts'
import type { Config } from '../config.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readJson } from '../http/body.ts'
import { mayActAs } from '../http/client-authentication.ts'
import type { RequestContext } from '../http/context.ts'
import { readBrowserClients } from '../http/origin.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import { readRefreshCookie } from '../http/refresh-cookie.ts'
import { tokenAnswer, tokenSuccess } from '../http/token-answer.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../parts.ts'
import { shortDigest } from '../short-digest.ts'
import type { Actor } from '../store/audit.ts'
import { familyDigest, mintId, parseRefreshToken } from '../tokens/refresh.ts'
import { issueTokens, type SessionTokens } from '../tokens/session-tokens.ts'

const request = z.object({
  refresh_token: z.string().optional().describe('Not from a browser, whose token is in its cookie.'),
  client_id: z.string().optional().describe('Refuses the token if it is not of this client.'),
})

/** Makes a repeated call the same call: 1 to 255 visible characters of the client's choice. */
const idempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/)

export const idempotencyParameter = {
  in: 'header',
  name: 'Idempotency-Key',
  description: 'Fresh for each refresh, and the same until an answer arrives: then no lost answer signs anybody out.',
  schema: idempotencyKey,
} as const
export const refreshFailures = [
  'malformed',
  'expired',
  'superseded',
  'unknown',
  'reused',
  'too_many_attempts',
  'foreign',
] as const

export const refreshOperation: Operation = {
  id: 'refresh',
  tag: 'Sessions',
  summary: 'Exchange a refresh token for its successor',
  description: 'The token is in the cookie of a browser or, for other clients, in the body.',
  security: ['refreshCookie', 'none', 'client'],
  parameters: [idempotencyParameter],
  json: request,
  success: tokenSuccess,
  failures: [...refreshFailures, 'origin_foreign', 'unavailable'],
}

/**
 * POST /v1/refresh: exchanges a refresh token for its successor.
 *
 * No refusal clears the cookie: by the time it arrives the browser may hold the cookie of a newer sign-in.
 */
export function refreshEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    const body = await readJson(c, request)
    if (!body.ok) return problem(c, body.failure)
    const presented = await readPresented(c, parts.config, body.value)
    if (!presented.ok) return problem(c, presented.failure)
    const attempt = readIdempotencyKey(c)
    if (!attempt.ok) return problem(c, attempt.failure)
    const actor = readActor(c, parts.config, 'user:')
    const exchange = { ...presented.value, attempt: attempt.value, log: c.get('log'), actor }
    const tokens = await refresh(parts, exchange)
    return tokens.ok ? tokenAnswer(c, parts.config.issuer, tokens.value) : problem(c, tokens.failure)
  }
}

/** A token in the body belongs to a native client; one in the cookie to a browser client at the request's origin. */
async function readPresented(
  c: RequestContext,
  { clients, issuer }: Config,
  { refresh_token, client_id }: z.infer<typeof request>,
): Promise<Result<{ presented: string; allowed: readonly Client[] }, Failure>> {
  const named = (list: readonly Client[]) => list.filter(({ id }) => client_id === undefined || id === client_id)
  if (refresh_token !== undefined) {
    const allowed: Client[] = []
    for (const client of named(clients))
      if (client.kind === 'native' && (await mayActAs(c, client))) allowed.push(client)
    return ok({ presented: refresh_token, allowed })
  }
  const here = readBrowserClients(c, clients)
  if (!here.ok) return here
  return ok({ presented: readRefreshCookie(c, issuer) ?? '', allowed: named(here.value) })
}

/** `Idempotency-Key`, if there is one. */
export function readIdempotencyKey(c: RequestContext): Result<string | undefined, Failure> {
  const key = c.req.header('Idempotency-Key')
  if (key === undefined || idempotencyKey.safeParse(key).success) return ok(key)
  return failed({ reason: 'bad_request', detail: 'Idempotency-Key must be 1 to 255 visible ASCII characters.' })
}

export interface Exchange {
  readonly presented: string
  /** The clients whose sessions this call may rotate. */
  readonly allowed: readonly Client[]
  /** Less than the session's scope, if the client asks for less. */
  readonly scope?: string | undefined
  /** Names this exchange, however often it is tried. */
  readonly attempt: string | undefined
  readonly log: Log
  /** A user: which one, the token tells. */
  readonly actor: Actor
}

/** Reuse ends the session (RFC 9700 section 4.14.2); a repeated attempt gets the same successor. */
export async function refresh(parts: Parts, exchange: Exchange): Promise<Result<SessionTokens, Failure>> {
  const { store, clock, random, macKeys, keyRing, liveCheck } = parts
  const { log, scope } = exchange
  const token = await parseRefreshToken(exchange.presented, macKeys)
  if (!token.ok) {
    log.event('refresh.refused', { detail: token.failure.reason })
    return token
  }
  const { userId, sid, generation } = token.value
  // Before the turn: a server that could not sign the new access token must not use up the refresh token.
  const ring = await keyRing.current()
  const nowMs = clock.nowMs()
  const turn = await store.rotate({
    userId,
    sid,
    generation,
    familyDigest: await familyDigest(token.value),
    // Without a key of the client's the call still has one, so that the store's own retry is a replay and not a theft.
    attemptDigest: exchange.attempt === undefined ? mintId(random) : await shortDigest(exchange.attempt),
    clientIds: exchange.allowed.map(({ id }) => id),
    nowMs,
    actor: { ...exchange.actor, by: `user:${userId}` },
  })
  const session = { user_id: userId, session_id: sid, generation }
  if (!turn.ok) {
    const { reason } = turn.failure
    // This isolate has just heard that the session is not there: it must not answer for it from memory.
    if (reason !== 'foreign' && reason !== 'too_many_attempts') liveCheck.forget(userId)
    log.event(reason === 'reused' ? 'refresh.reused' : 'refresh.refused', { ...session, detail: reason })
    return turn
  }
  log.event(`refresh.${turn.value.how}`, { ...session, client_id: turn.value.grant.clientId })
  const successor = { ...token.value, generation: generation + 1 }
  return ok(await issueTokens(parts, { ring, grant: turn.value.grant, refreshToken: successor, nowMs, scope }))
}
