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
    status: z.enum(['active', 'disabled']),
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

/** The most entries of a page: about half a megabyte. */
export const FEED_PAGE_LIMIT = 5000

const feedFields = z.tuple([
  z.literal('kind'),
  z.enum(['sid', 'jti', 'kid']),
  z.literal('id'),
  z.string(),
  z.literal('exp'),
  z.coerce.number(),
])

/** An entry as XRANGE gives it: its id, and names and values in turn. */
const feedEntry = z
  .tuple([z.string(), feedFields])
  .transform(([place, [, kind, , id, , expMs]]): FeedEntry => ({ place, kind, id, expMs }))

/** A page as `read-feed.lua` gives it. */
export const feedPage = z
  .tuple([z.literal([0, 1]), z.array(feedEntry)])
  .transform(([continued, entries]): FeedPage => ({
    entries,
    continued: continued === 1,
    full: entries.length >= FEED_PAGE_LIMIT,
  }))
