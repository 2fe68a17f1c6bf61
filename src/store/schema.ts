/** What the store holds, as JSON, and how it is read back. The Lua scripts are the other party to these shapes. */
import { z } from 'zod'
import { jsonText } from '../json-text.ts'
import type { Account, FeedEntry, FeedPage } from './store.ts'

/** Space-separated role names of visible ASCII: they become a header and a claim. */
const ROLES = /^([\x21-\x7e]+( [\x21-\x7e]+)*)?$/

export function isRoles(text: string): boolean {
  return ROLES.test(text)
}

const account = z
  .object({
    user_id: z.string(),
    username: z.string(),
    hash: z.string(),
    status: z.enum(['active', 'disabled', 'locked']),
    roles: z.string().regex(ROLES),
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

/** The most entries of a page, all buckets together: about half a megabyte. */
export const FEED_PAGE_LIMIT = 5000

/** How much of what an entry revokes its place names: enough to tell two entries of one stream id apart. */
const PLACE_MARK_LENGTH = 6

const feedFields = z.object({
  kind: z.enum(['sid', 'jti', 'kid', 'all']),
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

/** The fields of a stream's entry: names and values in turn. */
export function toObject(fields: readonly string[]): unknown {
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
