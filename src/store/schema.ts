/** What the store holds, as JSON, and how it is read back. The Lua scripts are the other party to these shapes. */
import { z } from 'zod'
import { jsonText } from '../json-text.ts'
import type { Account, CheckedSession, FeedEntry, FeedPage } from './store.ts'

/** Space-separated role names of visible ASCII: they become a header and a claim. */
const roleNames = z.string().regex(/^([\x21-\x7e]+( [\x21-\x7e]+)*)?$/)

export function isRoles(text: string): boolean {
  return roleNames.safeParse(text).success
}

const account = z
  .object({
    user_id: z.string(),
    username: z.string(),
    hash: z.string(),
    status: z.enum(['active', 'disabled', 'locked']),
    roles: roleNames,
    created_at: z.number(),
  })
  .transform((stored): Account => ({
    userId: stored.user_id,
    username: stored.username,
    hash: stored.hash,
    status: stored.status,
    roles: stored.roles,
    createdAtMs: stored.created_at,
  }))

export function writeAccount({ userId, username, hash, status, roles, createdAtMs }: Account): string {
  return JSON.stringify({ user_id: userId, username, hash, status, roles, created_at: createdAtMs })
}

/** An account as it is stored. */
export const accountJson = jsonText.pipe(account)

const record = jsonText.pipe(
  z.object({
    roles: roleNames,
    sessions: z.array(
      z.object({
        sid: z.string(),
        client: z.string(),
        gen: z.string(),
        auth: z.number(),
        used: z.number(),
        ends: z.number(),
      }),
    ),
  }),
)

/** Looks for a live session in a user's record. Absent, unreadable and expired all mean no. */
export function findLive(
  stored: string | null,
  { sid, nowMs, idleMs }: { readonly sid: string; readonly nowMs: number; readonly idleMs: number },
): CheckedSession {
  const { data: found } = record.safeParse(stored)
  // A session without a generation is the mark of one that was ended because of reuse.
  const session = found?.sessions.find((one) => one.sid === sid && /^\d+$/.test(one.gen))
  if (!found || !session || nowMs >= session.ends || nowMs >= session.used + idleMs) return { status: 'ended' }
  return { status: 'live', session: { clientId: session.client, roles: found.roles, authAtMs: session.auth } }
}

/** The most entries of a page, all buckets together: about half a megabyte. */
export const FEED_PAGE_LIMIT = 5000

/** How much of what an entry revokes its place names: enough to tell two entries of one stream id apart. */
const PLACE_MARK_LENGTH = 6

const feedFields = z.object({
  kind: z.enum(['sid', 'jti', 'kid']),
  id: z.string(),
  exp: z.coerce.number(),
  before: z.coerce.number().optional(),
})

/** An entry as XRANGE gives it: its id, and names and values in turn. */
const feedEntry = z
  .tuple([z.string(), z.array(z.string()).transform(toObject).pipe(feedFields)])
  .transform(([entry, { kind, id, exp, before }]): FeedEntry => ({
    place: `${entry}-${id.slice(0, PLACE_MARK_LENGTH)}`,
    kind,
    id,
    expMs: exp,
    beforeMs: before,
  }))

function toObject(fields: readonly string[]): unknown {
  const names = fields.filter((_, i) => i % 2 === 0)
  return Object.fromEntries(names.map((name, i) => [name, fields[2 * i + 1]]))
}

/** A page as `read-feed.lua` gives it, of at most `limit` entries. */
export function feedPage(limit: number) {
  return z.tuple([z.literal([0, 1]), z.array(feedEntry)]).transform(([continued, entries]): FeedPage => ({
    entries,
    continued: continued === 1,
    full: entries.length >= limit,
  }))
}
