/**
 * A user's record of sessions, as `record.lua` writes it. It is read at every live check, and by hand: zod took a twentieth
 * of all the time that a check has.
 */
import { isRoles } from './schema.ts'
import type { CheckedSession, ListedSession } from './store.ts'

/** Fields of fixed widths: sid, family digest, attempt digest, epoch, generation, lead. */
const IDS = /^([\w-]{22})[\w-]{22}.{8}([\w-]{8})([\d-]{10})\d{5}$/

interface StoredSession {
  readonly sid: string
  readonly epoch: string
  /** Ten digits, or dashes: the mark of a session that was ended because of reuse. */
  readonly generation: string
  readonly clientId: string
  readonly device: string
  readonly amr: string
  readonly authAtMs: number
  readonly endsAtMs: number
  readonly usedAtMs: number
}

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

/** Looks for a live session in a user's record. */
export function findLive(stored: StoredSessions, { sid, ...times }: Times & { readonly sid: string }): CheckedSession {
  const { roles, subject, sessions } = readLive(stored, times)
  const session = sessions.find((one) => one.sid === sid)
  if (!session) return { status: 'ended' }
  const { clientId, amr, authAtMs } = session
  return { status: 'live', session: { clientId, roles, subject, amr, authAtMs } }
}

/** The live sessions of a user's record, the one used last first. */
export function listLive(stored: StoredSessions, times: Times): readonly ListedSession[] {
  const { subject, sessions } = readLive(stored, times)
  return sessions
    .map(({ sid, clientId, device, amr, authAtMs, usedAtMs, endsAtMs }) => ({
      sid,
      clientId,
      subject,
      amr,
      device,
      authAtMs,
      usedAtMs,
      lastsUntilMs: Math.min(endsAtMs, usedAtMs + times.idleMs),
    }))
    .toSorted((a, b) => b.usedAtMs - a.usedAtMs)
}

/** The live sessions of a user's record. Absent, unreadable, expired and of another epoch all mean none. */
function readLive({ record, epoch }: StoredSessions, { nowMs, idleMs }: Times) {
  const { roles, subject, sessions } = readRecord(record)
  const isLive = (session: StoredSession) =>
    /^\d+$/.test(session.generation) &&
    session.epoch === epoch &&
    nowMs < Math.min(session.endsAtMs, session.usedAtMs + idleMs)
  return { roles, subject, sessions: sessions.filter(isLive) }
}

function readRecord(record: string | null) {
  const none = { roles: '', subject: undefined, sessions: [] }
  const list = record === null ? undefined : parse(record)
  if (!Array.isArray(list)) return none
  const [roles, sessions, subject]: unknown[] = list
  if (typeof roles !== 'string' || !isRoles(roles) || !Array.isArray(sessions)) return none
  if (subject !== undefined && typeof subject !== 'string') return none
  return { roles, subject, sessions: sessions.flatMap((values: unknown) => readSession(values) ?? []) }
}

function readSession(values: unknown): StoredSession | undefined {
  if (!Array.isArray(values)) return undefined
  const [ids, clientId, device, amr, auth, life, usedAtMs]: unknown[] = values
  const [, sid, epoch, generation] = typeof ids === 'string' ? (IDS.exec(ids) ?? []) : []
  if (sid === undefined || epoch === undefined || generation === undefined) return undefined
  if (typeof clientId !== 'string' || typeof device !== 'string' || typeof amr !== 'string') return undefined
  if (typeof auth !== 'number' || typeof life !== 'number' || typeof usedAtMs !== 'number') return undefined
  return {
    sid,
    epoch,
    generation,
    clientId,
    device,
    amr,
    authAtMs: auth * 1000,
    endsAtMs: (auth + life) * 1000,
    usedAtMs,
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
