import { z } from 'zod'
import { readJson } from '../../http/body.ts'
import type { Operation } from '../../http/operation.ts'
import { problem } from '../../http/problem.ts'
import type { Parts } from '../../parts.ts'
import { userIdOf } from '../../tokens/subject.ts'
import { administration, forAdministrators } from './administrator.ts'

const request = z.strictObject({
  user_id: z.string().min(1),
  jti: z.string().regex(/^[\w-]{1,64}$/),
  expires_at: z.number().int().nonnegative().optional().describe('Seconds since the epoch: the `exp` of the token.'),
})

export const denyOperation: Operation = {
  ...administration,
  id: 'denyToken',
  summary: 'Deny one access token',
  description: 'Until it expires: without `expires_at` for as long as any access token lives. Its session goes on.',
  json: request,
  success: { status: 204, description: 'It is denied.' },
}

/**
 * POST /v1/admin/denials: denies one access token until it expires; its session goes on. By default for as long as any access token
 * lives, and never for longer.
 */
export function denyEndpoint(parts: Parts) {
  const { store, clock, liveCheck, config } = parts
  return forAdministrators(parts, async (c, { actor }) => {
    const body = await readJson(c, request)
    if (!body.ok) return problem(c, body.failure)
    const { user_id, jti, expires_at } = body.value
    const nowMs = clock.nowMs()
    const longestMs = nowMs + config.accessTtlSeconds * 1000
    const expMs = Math.min(longestMs, expires_at === undefined ? longestMs : expires_at * 1000)
    const userId = await userIdOf(user_id)
    try {
      const detail = await store.denyJti({ userId, jti, expMs, nowMs, actor })
      c.get('log').event('token.denied', { user_id: userId, jti, by: actor.by, detail })
    } finally {
      liveCheck.forget(userId)
    }
    return c.body(null, 204)
  })
}
