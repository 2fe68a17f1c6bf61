import { failed, ok, type Failure, type Result } from '../../failure.ts'
import { readActor } from '../../http/actor.ts'
import { readBearer } from '../../http/bearer.ts'
import type { RequestContext } from '../../http/context.ts'
import { problem } from '../../http/problem.ts'
import { namesOf } from '../../names.ts'
import type { Parts } from '../../parts.ts'
import type { Actor } from '../../store/audit.ts'
import { checkAccessToken } from '../../tokens/active-token.ts'

/** The role that opens /v1/admin. Only accounts of Latchkey's own have it. */
export const ADMIN_ROLE = 'admin'

/** What all operations of administrators have in common. */
export const administration = {
  tag: 'Administration',
  security: ['accessToken'],
  failures: ['token_missing', 'token_invalid', 'forbidden', 'unavailable'],
} as const

/** Who calls, for the rules; and as the audit trail names them. */
export interface Administrator {
  readonly userId: string
  readonly actor: Actor
}

/** Lets nobody but administrators through. What they are told is for them alone, never for a cache. */
export function forAdministrators(
  parts: Parts,
  handle: (c: RequestContext, administrator: Administrator) => Promise<Response>,
) {
  return async (c: RequestContext): Promise<Response> => {
    const administrator = await readAdministrator(c, parts)
    if (!administrator.ok) return problem(c, administrator.failure)
    c.header('Cache-Control', 'no-store')
    return handle(c, administrator.value)
  }
}

/**
 * By the store's own answer, never one from memory: who has lost the role or the session a moment ago has lost it here. The roles
 * are those that the session has now, not those of the token.
 */
async function readAdministrator(c: RequestContext, parts: Parts): Promise<Result<Administrator, Failure>> {
  const bearer = readBearer(c)
  if (!bearer.ok) return bearer
  const checked = await checkAccessToken(parts, bearer.value, { audiences: parts.config.audiences, fresh: true })
  if (!checked.ok) return checked
  const { userId, sid, subject, roles } = checked.value
  // A session that another login system opened is no administrator's, whatever roles it may have come to.
  if (subject !== undefined || !namesOf(roles).includes(ADMIN_ROLE)) {
    c.get('log').event('admin.refused', { user_id: userId, session_id: sid, path: c.req.path })
    return failed({ reason: 'forbidden' })
  }
  return ok({ userId, actor: readActor(c, parts.config, `user:${userId}`) })
}
