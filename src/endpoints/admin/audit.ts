import { z } from 'zod'
import type { Operation } from '../../http/operation.ts'
import { problem } from '../../http/problem.ts'
import { limitOf, pageLimit, readQuery } from '../../http/query.ts'
import type { Parts } from '../../parts.ts'
import type { AuditEvent } from '../../store/audit.ts'
import { userIdOf } from '../../tokens/subject.ts'
import { administration, forAdministrators } from './administrator.ts'

const query = z.object({
  user_id: z.string().min(1).optional(),
  before: z.string().optional(),
  limit: pageLimit.optional(),
})

const event = z.object({
  time: z.iso.datetime().describe('By the store’s clock, UTC.'),
  event: z.string().describe('As in the log: `session.opened`, `account.disabled` and so on.'),
  user_id: z
    .string()
    .optional()
    .describe('Whom it is about. A digest for somebody whom another login system authenticates.'),
  session_id: z.string().optional(),
  by: z.string().describe('`user:<user id>`, `client:<client id>`, `operator` for the command line, or `latchkey`.'),
  from: z.string().optional().describe('The caller’s address, as much of it as is kept.'),
  request_id: z.string().optional(),
  outcome: z.string().describe('`done`, or `refused`.'),
  detail: z.string().optional().describe('Such as the roles that were set, or the client of a session.'),
})
const page = z.object({
  events: z.array(event),
  next: z.string().optional().describe('`before` of the next page. A page may be short, or empty, and yet have one.'),
})

export const auditOperation: Operation = {
  ...administration,
  id: 'readAudit',
  summary: 'Read the audit trail, newest first',
  parameters: [
    { in: 'query', name: 'user_id', description: 'Only events about this user: a user id, or a `sub`.' },
    { in: 'query', name: 'before', description: '`next` of the page before.' },
    { in: 'query', name: 'limit', description: 'At most so many, 1 to 200; 50 by default.', schema: pageLimit },
  ],
  success: { status: 200, description: 'A page.', content: { 'application/json': page } },
  failures: [...administration.failures, 'bad_request'],
}

/** GET /v1/admin/audit: a page of the audit trail, the newest event first; of one user, or of all. */
export function auditEndpoint(parts: Parts) {
  const { store } = parts
  return forAdministrators(parts, async (c) => {
    const asked = readQuery(c, query)
    if (!asked.ok) return problem(c, asked.failure)
    const { user_id, before, limit } = asked.value
    const userId = user_id === undefined ? undefined : await userIdOf(user_id)
    const read = await store.readAudit({ userId, before, limit: limitOf(limit) })
    const body: z.infer<typeof page> = { events: read.events.map(describe), next: read.next }
    return c.json(body)
  })
}

/** In the words of the log. */
function describe({ atMs, userId, sid, requestId, ...same }: AuditEvent): z.infer<typeof event> {
  return { time: new Date(atMs).toISOString(), user_id: userId, session_id: sid, request_id: requestId, ...same }
}
