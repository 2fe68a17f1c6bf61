import { z } from 'zod'
import { problem } from '../../http/problem.ts'
import { pageLimit, readQuery } from '../../http/query.ts'
import type { Parts } from '../../parts.ts'
import type { AuditEvent } from '../../store/audit.ts'
import { userIdOf } from '../../tokens/subject.ts'
import { forAdministrators } from './administrator.ts'

const query = z.object({ user_id: z.string().min(1).optional(), before: z.string().optional(), limit: pageLimit })

/** GET /v1/admin/audit: a page of the audit trail, the newest event first; of one user, or of all. */
export function auditEndpoint(parts: Parts) {
  const { store } = parts
  return forAdministrators(parts, async (c) => {
    const asked = readQuery(c, query)
    if (!asked.ok) return problem(c, asked.failure)
    const { user_id, before, limit } = asked.value
    const userId = user_id === undefined ? undefined : await userIdOf(user_id)
    const page = await store.readAudit({ userId, before, limit })
    return c.json({ events: page.events.map(describe), next: page.next })
  })
}

/** In the words of the log. */
function describe({ atMs, event, userId, sid, by, from, requestId, outcome, detail }: AuditEvent) {
  return {
    time: new Date(atMs).toISOString(),
    event,
    user_id: userId,
    session_id: sid,
    by,
    from,
    request_id: requestId,
    outcome,
    detail,
  }
}
