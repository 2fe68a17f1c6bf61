/** What the store holds, as JSON, and how it is read back. The Lua scripts are the other party to these shapes. */
import { z } from 'zod'
import type { Account, CheckedSession } from './store.ts'

const account = z
  .object({
    user_id: z.string(),
    username: z.string(),
    hash: z.string(),
    status: z.enum(['active', 'disabled']),
    roles: z.string(),
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

/** @throws if it is not an account: login then fails closed. */
export function readAccount(stored: string): Account {
  return account.parse(JSON.parse(stored))
}

const record = z.object({
  roles: z.string(),
  sessions: z.array(z.object({ sid: z.string(), used: z.number(), ends: z.number() })),
})

/** Looks for a live session in a user's record. Absent, unreadable and expired all mean no. */
export function findLive(
  stored: string | null,
  { sid, nowMs, idleMs }: { readonly sid: string; readonly nowMs: number; readonly idleMs: number },
): CheckedSession {
  const found = parseRecord(stored)
  const session = found?.sessions.find((one) => one.sid === sid)
  if (!found || !session || nowMs >= session.ends || nowMs >= session.used + idleMs) return { status: 'ended' }
  return { status: 'live', roles: found.roles }
}

function parseRecord(stored: string | null): z.infer<typeof record> | undefined {
  try {
    return record.parse(JSON.parse(stored ?? ''))
  } catch {
    return undefined
  }
}
