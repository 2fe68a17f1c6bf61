import { z } from 'zod'
import { canonicalPassword } from '../accounts/credentials.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readBearer } from '../http/bearer.ts'
import { readJson } from '../http/body.ts'
import { readClientNetwork } from '../http/client-address.ts'
import type { RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../parts.ts'
import type { Actor } from '../store/audit.ts'
import type { Account, PasswordOutcome } from '../store/store.ts'
import { checkAccessToken } from '../tokens/active-token.ts'

const request = z.object({ current_password: z.string(), new_password: z.string() })

export const passwordOperation: Operation = {
  id: 'changePassword',
  tag: 'Accounts',
  summary: 'Change the password',
  description:
    'The session that asks goes on, all others of the user end. `client_not_allowed`: the user signs in elsewhere, and has no ' +
    'password here.',
  security: ['accessToken'],
  json: request,
  success: { status: 204, description: 'It is changed.' },
  failures: [
    'token_missing',
    'token_invalid',
    'client_not_allowed',
    'credentials_wrong',
    'password_rejected',
    'too_many_attempts',
    'unavailable',
    'overloaded',
  ],
}

/**
 * POST /v1/password: sets another password. The session that asks goes on, all others of the user end (OWASP ASVS 6.2.3 and
 * 7.4.3).
 */
export function passwordEndpoint(parts: Parts) {
  const { audiences, clientAddressHeader } = parts.config
  return async (c: RequestContext): Promise<Response> => {
    const bearer = readBearer(c)
    if (!bearer.ok) return problem(c, bearer.failure)
    const body = await readJson(c, request)
    if (!body.ok) return problem(c, body.failure)
    const token = await checkAccessToken(parts, bearer.value, { audiences, fresh: true })
    if (!token.ok) return problem(c, token.failure)
    const { userId, sid, subject } = token.value
    // Another login system's: whatever password there is, it is there.
    if (subject !== undefined) return problem(c, { reason: 'client_not_allowed' })
    const { current_password: current, new_password: next } = body.value
    const network = readClientNetwork(c, clientAddressHeader)
    const addressDigest = network && (await parts.logDigest(network))
    const log = c.get('log').with({ user_id: userId, session_id: sid })
    const actor = readActor(c, parts.config, `user:${userId}`)
    const ended = await changePassword(parts, { userId, sid, current, next, addressDigest, log, actor })
    if (!ended.ok) {
      log.event('password.change_failed', { detail: ended.failure.reason })
      return problem(c, ended.failure)
    }
    log.event('password.changed', { ended_sessions: ended.value.length })
    for (const other of ended.value) c.get('log').event('session.ended', { user_id: userId, session_id: other })
    c.header('Cache-Control', 'no-store')
    return c.body(null, 204)
  }
}

interface Wish {
  readonly userId: string
  /** The session that asks. */
  readonly sid: string
  readonly current: string
  readonly next: string
  readonly addressDigest: string | undefined
  readonly log: Log
  readonly actor: Actor
}

/** The sessions that it ended. A wrong current password counts as a sign-in that failed. */
async function changePassword(parts: Parts, wish: Wish, triesLeft = 1): Promise<Result<readonly string[], Failure>> {
  const { store, hasher, clock, passwordPolicy } = parts
  const { userId, addressDigest, log, actor } = wish
  const username = await store.findUsername(userId)
  if (username === undefined) return failed({ reason: 'token_invalid' })
  const attempted = { username, addressDigest }
  const { account, waitMs } = await store.beginLogin({ ...attempted, nowMs: clock.nowMs() })
  if (waitMs > 0) return throttled(waitMs)
  // Before the current one is looked at: otherwise a refusal of the new one would say that the current one is right, and
  // no throttle would have counted that guess.
  const current = canonicalPassword(wish.current)
  const next = await passwordPolicy.check({ password: wish.next, username, log })
  if (!next.ok) return next
  if (next.value === current)
    return failed({ reason: 'password_rejected', detail: 'The new password is the current one.' })
  const match = await hasher.verify(account?.hash, wish.current)
  if (!match.ok) return match
  const isMatch = match.value === 'right' || match.value === 'outdated'
  if (!account || account.userId !== userId || account.status !== 'active' || !isMatch) {
    const counted = await store.failLogin({ ...attempted, nowMs: clock.nowMs(), actor })
    return counted.waitMs > 0 ? throttled(counted.waitMs) : failed({ reason: 'credentials_wrong' })
  }
  const hash = await hasher.hash(next.value)
  if (!hash.ok) return hash
  const changed = await replaceHash(parts, wish, { account, newHash: hash.value })
  switch (changed.status) {
    case 'changed':
      return ok(changed.ended)
    case 'wait':
      return throttled(changed.waitMs)
    case 'gone':
      return failed({ reason: 'token_invalid' })
    case 'conflict':
      // Perhaps a sign-in has renewed the hash meanwhile.
      return triesLeft > 0 ? changePassword(parts, wish, triesLeft - 1) : failed({ reason: 'credentials_wrong' })
    default:
      return changed satisfies never
  }
}

async function replaceHash(
  { store, clock, liveCheck }: Pick<Parts, 'store' | 'clock' | 'liveCheck'>,
  { userId, sid, actor }: Wish,
  { account, newHash }: { readonly account: Account; readonly newHash: string },
): Promise<PasswordOutcome> {
  try {
    return await store.changePassword({ account, newHash, sid, nowMs: clock.nowMs(), actor })
  } finally {
    // Even if the store gave no answer: it may have ended sessions.
    liveCheck.forget(userId)
  }
}

function throttled(waitMs: number) {
  return failed({ reason: 'too_many_attempts', retryAfterSeconds: Math.ceil(waitMs / 1000) })
}
