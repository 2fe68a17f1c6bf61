/** What the store holds, as JSON, and how it is read back. The Lua scripts are the other party to these shapes. */
import { z } from 'zod'
import { jsonText } from '../json-text.ts'
import type { Account, CheckedSession, FeedEntry, FeedPage, ListedSession } from './store.ts'

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

const [text, number] = [z.string(), z.number()]

/** Its places are those of `FIELDS` in `record.lua`. */
const storedSession = z
  .tuple([text, text, text, text, text, number, number, number, text, text, text, text])
  .transform(([sid, , client, gen, , auth, used, ends, device, epoch, amr]) => {
    return { sid, client, gen, auth, used, ends, device, epoch, amr }
  })

const record = jsonText.pipe(
  z.object({ roles: roleNames, sub: z.string().optional(), sessions: z.array(storedSession) }),
)

/** What is stored of a user's sessions. */
export interface StoredSessions {
  readonly record: string | null
  /** Their bucket's. */
  readonly epoch: string | null
}

interface Times {
  readonly nowMs: number
  readonly idleMs: number
}

/** The live sessions of a user's record. Absent, unreadable, expired and of another epoch all mean none. */
function readLive(stored: StoredSessions, { nowMs, idleMs }: Times) {
  const { data: found } = record.safeParse(stored.record)
  // A session without a generation is the mark of one that was ended because of reuse.
  const isLive = ({ gen, epoch, ends, used }: z.infer<typeof storedSession>) =>
    /^\d+$/.test(gen) && epoch === stored.epoch && nowMs < Math.min(ends, used + idleMs)
  return { roles: found?.roles ?? '', subject: found?.sub, sessions: found?.sessions.filter(isLive) ?? [] }
}

/** Looks for a live session in a user's record. */
export function findLive(stored: StoredSessions, { sid, ...times }: Times & { readonly sid: string }): CheckedSession {
  const { roles, subject, sessions } = readLive(stored, times)
  const session = sessions.find((one) => one.sid === sid)
  if (!session) return { status: 'ended' }
  return {
    status: 'live',
    session: { clientId: session.client, roles, subject, amr: session.amr, authAtMs: session.auth },
  }
}

/** The live sessions of a user's record, the one used last first. */
export function listLive(stored: StoredSessions, times: Times): readonly ListedSession[] {
  const { subject, sessions } = readLive(stored, times)
  return sessions
    .map(({ sid, client, device, auth, used, ends, amr }) => ({
      sid,
      clientId: client,
      subject,
      amr,
      device,
      authAtMs: auth,
      usedAtMs: used,
      lastsUntilMs: Math.min(ends, used + times.idleMs),
    }))
    .toSorted((a, b) => b.usedAtMs - a.usedAtMs)
}

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
