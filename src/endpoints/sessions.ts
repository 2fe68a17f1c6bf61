import { z } from 'zod'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readBearer } from '../http/bearer.ts'
import type { RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import { namesOf } from '../names.ts'
import type { Parts } from '../parts.ts'
import type { ListedSession } from '../store/store.ts'
import { checkAccessToken, type ActiveToken } from '../tokens/active-token.ts'

export const sessionBody = z.object({
  session_id: z.string(),
  client_id: z.string(),
  subject: z.string().optional().describe('Whom another login system has authenticated.'),
  amr: z.array(z.string()).optional().describe('How, in the names of RFC 8176, where that is known.'),
  device: z.string().optional().describe('As in `Firefox on Linux`.'),
  created_at: z.number().describe('Seconds since the epoch, like all times here.'),
  last_used_at: z.number(),
  expires_at: z.number(),
})
const current = z.boolean().describe('It is the one that asks.')
const answer = z.object({ sessions: z.array(sessionBody.extend({ current })) })

const common = {
  tag: 'Sessions',
  security: ['accessToken'],
  failures: ['token_missing', 'token_invalid', 'unavailable'],
} as const

export const listSessionsOperation: Operation = {
  ...common,
  id: 'listSessions',
  summary: 'See where the user is signed in',
  success: { status: 200, description: 'The live sessions.', content: { 'application/json': answer } },
}

export const endSessionOperation: Operation = {
  ...common,
  id: 'endSession',
  summary: 'End one session of the user',
  parameters: [{ in: 'path', name: 'sid', description: 'Its `session_id`.' }],
  success: { status: 204, description: 'It has ended.' },
  failures: [...common.failures, 'not_found'],
}

export const endOtherSessionsOperation: Operation = {
  ...common,
  id: 'endOtherSessions',
  summary: 'End all sessions of the user but this one',
  success: { status: 204, description: 'They have ended.' },
}

/** GET /v1/sessions: where the caller is signed in. OWASP ASVS 7.5.2. */
export function listSessionsEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    const caller = await readCaller(c, parts)
    if (!caller.ok) return problem(c, caller.failure)
    const sessions = await parts.store.listSessions({ userId: caller.value.userId, nowMs: parts.clock.nowMs() })
    c.header('Cache-Control', 'no-store')
    const body: z.infer<typeof answer> = {
      sessions: sessions.map((one) => Object.assign(describeSession(one), { current: one.sid === caller.value.sid })),
    }
    return c.json(body)
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
export function describeSession(listed: ListedSession): z.infer<typeof sessionBody> {
  return {
    session_id: listed.sid,
    client_id: listed.clientId,
    subject: listed.subject,
    amr: listed.amr === '' ? undefined : namesOf(listed.amr),
    device: listed.device === '' ? undefined : listed.device,
    created_at: Math.floor(listed.authAtMs / 1000),
    last_used_at: Math.floor(listed.usedAtMs / 1000),
    expires_at: Math.floor(listed.lastsUntilMs / 1000),
  }
}
