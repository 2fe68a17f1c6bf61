import { z } from 'zod'
import { readJson } from '../../http/body.ts'
import type { RequestContext } from '../../http/context.ts'
import type { Operation } from '../../http/operation.ts'
import { problem } from '../../http/problem.ts'
import type { Parts } from '../../parts.ts'
import { mintId } from '../../tokens/refresh.ts'
import { userIdOf } from '../../tokens/subject.ts'
import { describeSession, sessionBody } from '../sessions.ts'
import { administration, forAdministrators } from './administrator.ts'

const common = {
  ...administration,
  parameters: [
    {
      in: 'path',
      name: 'user_id',
      description: 'A user id, or the `sub` of somebody whom another login system authenticates.',
    },
  ],
} as const

const list = z.object({ sessions: z.array(sessionBody) })

export const listUserSessionsOperation: Operation = {
  ...common,
  id: 'listUserSessions',
  summary: 'See where a user is signed in',
  success: { status: 200, description: 'The live sessions.', content: { 'application/json': list } },
}

/** GET /v1/admin/users/{user_id}/sessions: where a user is signed in. */
export function listUserSessionsEndpoint(parts: Parts) {
  const { store, clock } = parts
  return forAdministrators(parts, async (c) => {
    const sessions = await store.listSessions({ userId: await readUserId(c), nowMs: clock.nowMs() })
    const body: z.infer<typeof list> = { sessions: sessions.map(describeSession) }
    return c.json(body)
  })
}

export const endUserSessionsOperation: Operation = {
  ...common,
  id: 'endUserSessions',
  summary: 'End all sessions of a user',
  success: { status: 204, description: 'They have ended, if there were any.' },
}

/** DELETE /v1/admin/users/{user_id}/sessions: ends all of them. */
export function endUserSessionsEndpoint(parts: Parts) {
  const { store, clock, liveCheck } = parts
  return forAdministrators(parts, async (c, { actor }) => {
    const userId = await readUserId(c)
    try {
      const ended = await store.endAll({ userId, nowMs: clock.nowMs(), actor })
      for (const sid of ended) c.get('log').event('session.ended', { user_id: userId, session_id: sid, by: actor.by })
    } finally {
      liveCheck.forget(userId)
    }
    return c.body(null, 204)
  })
}

export const endUserSessionOperation: Operation = {
  ...common,
  id: 'endUserSession',
  summary: 'End one session of a user',
  parameters: [...common.parameters, { in: 'path', name: 'sid', description: 'Its `session_id`.' }],
  success: { status: 204, description: 'It has ended.' },
  failures: [...common.failures, 'not_found'],
}

/** DELETE /v1/admin/users/{user_id}/sessions/{session_id}: ends one of them. */
export function endUserSessionEndpoint(parts: Parts) {
  const { store, clock, liveCheck } = parts
  return forAdministrators(parts, async (c, { actor }) => {
    const userId = await readUserId(c)
    const sid = c.req.param('sid') ?? ''
    try {
      const outcome = await store.endSession({ userId, sid, nowMs: clock.nowMs(), actor })
      if (outcome !== 'ended') return problem(c, { reason: 'not_found' })
    } finally {
      liveCheck.forget(userId)
    }
    c.get('log').event('session.ended', { user_id: userId, session_id: sid, by: actor.by })
    return c.body(null, 204)
  })
}

/** Said in so many words, so that no call without a body does it. */
const everyone = z.strictObject({ everyone: z.literal(true) })
const EPOCH_LENGTH = 8

export const endEveryoneOperation: Operation = {
  ...administration,
  id: 'endEveryone',
  summary: 'End every session of everyone',
  description: 'That of the administrator too. Everybody may sign in again at once.',
  json: everyone,
  success: { status: 204, description: 'They have ended.' },
}

/** DELETE /v1/admin/sessions: ends every session of everyone, that of the administrator too. */
export function endEveryoneEndpoint(parts: Parts) {
  const { store, clock, random, liveCheck } = parts
  return forAdministrators(parts, async (c, { actor }) => {
    const body = await readJson(c, everyone)
    if (!body.ok) return problem(c, body.failure)
    try {
      await store.endEveryone({ epoch: mintId(random).slice(0, EPOCH_LENGTH), nowMs: clock.nowMs(), actor })
    } finally {
      liveCheck.forgetEveryone()
    }
    c.get('log').event('everyone.ended', { by: actor.by })
    return c.body(null, 204)
  })
}

/** A user id, or the `sub` of somebody whom another login system signs in. */
function readUserId(c: RequestContext): Promise<string> {
  return userIdOf(c.req.param('user_id') ?? '')
}
