import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readBearer } from '../http/bearer.ts'
import type { RequestContext } from '../http/context.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'
import type { ListedSession } from '../store/store.ts'
import { checkAccessToken, type ActiveToken } from '../tokens/active-token.ts'

/** GET /v1/sessions: where the caller is signed in. OWASP ASVS 7.5.2. */
export function listSessionsEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    const caller = await readCaller(c, parts)
    if (!caller.ok) return problem(c, caller.failure)
    const sessions = await parts.store.listSessions({ userId: caller.value.userId, nowMs: parts.clock.nowMs() })
    c.header('Cache-Control', 'no-store')
    return c.json({ sessions: sessions.map((session) => describe(session, caller.value)) })
  }
}

/** DELETE /v1/sessions/{sid}: ends one session of the caller, which may be this one. */
export function endSessionEndpoint(parts: Parts) {
  const { store, clock, liveCheck } = parts
  return async (c: RequestContext): Promise<Response> => {
    const caller = await readCaller(c, parts)
    if (!caller.ok) return problem(c, caller.failure)
    const { userId } = caller.value
    const sid = c.req.param('sid') ?? ''
    try {
      const actor = readActor(c, parts.config, `user:${userId}`)
      const outcome = await store.endSession({ userId, sid, nowMs: clock.nowMs(), actor })
      // Somebody else's session is as unknown as one that never was.
      if (outcome !== 'ended') return problem(c, { reason: 'not_found' })
    } finally {
      liveCheck.forget(userId)
    }
    c.get('log').event('session.ended', { user_id: userId, session_id: sid, by: caller.value.sid })
    return c.body(null, 204, { 'Cache-Control': 'no-store' })
  }
}

/** DELETE /v1/sessions: ends all sessions of the caller but this one. */
export function endOtherSessionsEndpoint(parts: Parts) {
  const { store, clock, liveCheck } = parts
  return async (c: RequestContext): Promise<Response> => {
    const caller = await readCaller(c, parts)
    if (!caller.ok) return problem(c, caller.failure)
    const { userId, sid } = caller.value
    try {
      const actor = readActor(c, parts.config, `user:${userId}`)
      const ended = await store.endOthers({ userId, sid, nowMs: clock.nowMs(), actor })
      for (const other of ended) c.get('log').event('session.ended', { user_id: userId, session_id: other, by: sid })
    } finally {
      liveCheck.forget(userId)
    }
    return c.body(null, 204, { 'Cache-Control': 'no-store' })
  }
}

/** Whoever changes or sees sessions must have a live one: nobody's word from memory. */
async function readCaller(c: RequestContext, parts: Parts): Promise<Result<ActiveToken, Failure>> {
  const bearer = readBearer(c)
  if (!bearer.ok) return bearer
  const checked = await checkAccessToken(parts, bearer.value, { audiences: parts.config.audiences, fresh: true })
  return checked.ok ? ok(checked.value) : failed(checked.failure)
}

/** Times are seconds since the epoch. */
function describe(session: ListedSession, caller: ActiveToken) {
  return {
    session_id: session.sid,
    client_id: session.clientId,
    device: session.device === '' ? undefined : session.device,
    created_at: Math.floor(session.authAtMs / 1000),
    last_used_at: Math.floor(session.usedAtMs / 1000),
    expires_at: Math.floor(session.lastsUntilMs / 1000),
    current: session.sid === caller.sid,
  }
}
