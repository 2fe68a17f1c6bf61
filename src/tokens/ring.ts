/**
 * The key ring as plain values: which key is published, signs or is gone follows from its times and the clock alone.
 *
 *     created ── published ──▶ active_from ── signs ──▶ successor's active_from ── retired ──▶ gone
 *                                   withdrawn_at: gone at once, whatever it was
 *
 * A ring always has a standby: a key that is published and does not sign yet. So a key in trouble can be withdrawn and the
 * standby sign at once, known to every verifier already. All times are milliseconds since the epoch.
 */
import { z } from 'zod'
import { jsonText } from '../json-text.ts'

/** A key as it is stored: the private half sealed. */
const storedKey = z.object({
  kid: z.string(),
  alg: z.enum(['ES256', 'EdDSA', 'RS256']),
  created: z.number(),
  active_from: z.number(),
  withdrawn_at: z.number().optional(),
  /** The public JWK. */
  public: z.looseObject({ kty: z.string() }),
  /** The private JWK as a compact JWE. */
  sealed: z.string(),
})
export type RingKey = z.infer<typeof storedKey>

const ringJson = jsonText.pipe(z.object({ keys: z.array(storedKey).min(1) }))

/** Keys in the order in which they sign. */
export type Ring = readonly RingKey[]

export type KeyState = 'published' | 'signing' | 'retired' | 'withdrawn' | 'gone'

export interface RingTimes {
  /** How long a key signs. */
  readonly signingPeriodMs: number
  /** How long a key is published before it signs: longer than verifiers keep a key set. */
  readonly publishAheadMs: number
  /** How long a key stays published after it has signed for the last time. */
  readonly retiredMs: number
}

/** The ring of its stored form; empty for ''. @throws if it is not a ring. */
export function parseRing(stored: string): Ring {
  return stored === '' ? [] : ringJson.parse(stored).keys
}

export function writeRing(ring: Ring): string {
  return JSON.stringify({ keys: ring })
}

export function stateOf(key: RingKey, ring: Ring, nowMs: number, { retiredMs }: RingTimes): KeyState {
  if (key.withdrawn_at !== undefined && key.withdrawn_at <= nowMs) return 'withdrawn'
  if (nowMs < key.active_from) return 'published'
  const successor = successorOf(key, ring, nowMs)
  if (!successor || nowMs < successor.active_from) return 'signing'
  return nowMs < successor.active_from + retiredMs ? 'retired' : 'gone'
}

/** From when and until when what is true of the ring at `nowMs` stays so. */
export function steadySpan(ring: Ring, nowMs: number, { retiredMs }: RingTimes): { fromMs: number; untilMs: number } {
  const turns = ring.flatMap(({ active_from, withdrawn_at = active_from }) => [
    active_from,
    active_from + retiredMs,
    withdrawn_at,
  ])
  return {
    fromMs: Math.max(-Infinity, ...turns.filter((turn) => turn <= nowMs)),
    untilMs: Math.min(Infinity, ...turns.filter((turn) => turn > nowMs)),
  }
}

/** The key that signs after this one. */
export function successorOf(key: RingKey, ring: Ring, nowMs: number): RingKey | undefined {
  return ring.find((other) => other.active_from > key.active_from && isUsable(other, nowMs))
}

/**
 * The key that signs now, if there is any. A server whose clock is behind that of the one which made the first key finds none
 * that is active yet: the earliest signs then, and no second one is made.
 */
export function signingKey(ring: Ring, nowMs: number): RingKey | undefined {
  const usable = ring.filter((key) => isUsable(key, nowMs))
  return usable.findLast((key) => key.active_from <= nowMs) ?? usable[0]
}

/** The keys that verifiers are to know. */
export function publishedKeys(ring: Ring, nowMs: number, times: RingTimes): Ring {
  return ring.filter((key) => !['withdrawn', 'gone'].includes(stateOf(key, ring, nowMs, times)))
}

/**
 * Whether the ring lacks a key that signs, or a standby. A first ever key may do without for as long as verifiers need to
 * learn of it, so that isolates which find no ring at once add one key, and not one and then another.
 */
export function isBehind(ring: Ring, nowMs: number, { publishAheadMs }: RingTimes): boolean {
  const signing = signingKey(ring, nowMs)
  if (!signing) return true
  return !standby(ring, nowMs) && nowMs >= signing.created + publishAheadMs
}

/** When a key added now is to sign: at once if no key does, else after the newest, and never before verifiers know it. */
export function nextActiveFrom(ring: Ring, nowMs: number, { signingPeriodMs, publishAheadMs }: RingTimes): number {
  if (!signingKey(ring, nowMs)) return nowMs
  const last = ring.findLast((key) => isUsable(key, nowMs))
  return Math.max((last?.active_from ?? nowMs) + signingPeriodMs, nowMs + publishAheadMs)
}

/** The ring with a key more, and without those that nobody needs any longer. */
export function addKey(ring: Ring, key: RingKey, nowMs: number, times: RingTimes): Ring {
  return [...ring.filter((old) => isNeeded(old, ring, nowMs, times)), key].toSorted(
    (a, b) => a.active_from - b.active_from,
  )
}

/** The standby signs as soon as verifiers know it. Undefined if there is none. */
export function bringForward(ring: Ring, nowMs: number, { publishAheadMs }: RingTimes): Ring | undefined {
  const next = standby(ring, nowMs)
  if (!next) return undefined
  const earliest = Math.max(nowMs, next.created + publishAheadMs)
  return ring.map((key) => (key === next ? { ...key, active_from: Math.min(key.active_from, earliest) } : key))
}

/** The key is gone at once. If it signed, the standby signs from now on. Undefined if the ring has no such key. */
export function withdraw(ring: Ring, kid: string, nowMs: number): Ring | undefined {
  const bad = ring.find((key) => key.kid === kid && isUsable(key, nowMs))
  if (!bad) return undefined
  const next = bad === signingKey(ring, nowMs) ? standby(ring, nowMs) : undefined
  return ring.map((key) => {
    if (key === bad) return { ...key, withdrawn_at: nowMs }
    return key === next ? { ...key, active_from: nowMs } : key
  })
}

/** The key that is published and does not sign yet. */
export function standby(ring: Ring, nowMs: number): RingKey | undefined {
  const signing = signingKey(ring, nowMs)
  return ring.find((key) => isUsable(key, nowMs) && key.active_from > nowMs && key !== signing)
}

function isUsable(key: RingKey, nowMs: number): boolean {
  return key.withdrawn_at === undefined || key.withdrawn_at > nowMs
}

/** Withdrawn keys are kept as long as retired ones, so that a list can show what happened. */
function isNeeded(key: RingKey, ring: Ring, nowMs: number, times: RingTimes): boolean {
  const state = stateOf(key, ring, nowMs, times)
  if (state === 'withdrawn') return nowMs < (key.withdrawn_at ?? 0) + times.retiredMs
  return state !== 'gone'
}
