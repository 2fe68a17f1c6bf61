/**
 * The issuer's keys.
 *
 * Fetched when a token names a key that is not held, and again in the background once they are five minutes old. At ten
 * minutes a token waits for the fetch. One fetch is under way at a time, and at most one is started in 30 s while there
 * are keys to go on with, whatever tokens name. When the fetch fails, keys that are held stay good for an hour.
 */
import { importJWK } from 'jose/key/import'
import type { Clock, Moment } from './clock.ts'
import { IssuerUnavailable, type Issuer } from './issuer.ts'
import type { JsonObject } from './json.ts'
import { createSharedCall, type WaitUntil } from './shared-call.ts'

/** What access tokens of Latchkey can be signed with: asymmetric, so that `none` and HMAC never come into question. */
const ALGORITHMS = new Set(['ES256', 'EdDSA', 'RS256'])
/** The `max-age` of the issuer's answer. */
const REFRESH_MS = 300_000
/** How long a withdrawn key is taken by a verifier that hears of it by the key set alone. */
const STALE_MS = 600_000
/** An hour of outage, which may begin just before the keys would have been fetched again. */
const HOLD_MS = 3_600_000 + REFRESH_MS
/** A failure tells of an outage for so long: the next fetch begins earlier. */
const OUTAGE_MS = 60_000
const COOLDOWN_MS = 30_000
/** After the first failure when there is no key to go on with; doubled by each. */
const FIRST_RETRY_MS = 1000

/** By way of the import: jose's index of types needs those of a DOM. */
type CryptoKey = Exclude<Awaited<ReturnType<typeof importJWK>>, Uint8Array>

export interface VerifyingKey {
  readonly kid: string
  readonly alg: string
  readonly key: CryptoKey
  /** The JWK as text: a key that is fetched again unchanged stays the same object. */
  readonly source: string
}

export interface Keys {
  /** `unknown`: the issuer has no such key. `unavailable`: it could not be asked. */
  find(kid: string, waitUntil?: WaitUntil): Promise<VerifyingKey | 'unknown' | 'unavailable'>
  /** Whether a key that was found earlier is still one of the issuer's. */
  isCurrent(key: VerifyingKey): boolean
  /** Fetches the keys again, if they are due. Does not wait. */
  tend(waitUntil?: WaitUntil): void
  /**
   * The feed says that the key was withdrawn. Kept for as long as a key set could bring the key back: the feed forgets
   * it sooner, and who has stolen the key can sign tokens that are newer than the entry.
   */
  withdraw(kid: string): void
  isWithdrawn(kid: string): boolean
  /** Withdrawals may have been missed: keys are not used until they were fetched within `ageMs` of now, or later. */
  doubt(ageMs: number): void
  state(): KeysState
}

export interface KeysState {
  readonly kids: readonly string[]
  /** Since the key set was last fetched; absent when it never was. */
  readonly ageSeconds?: number
  readonly fetches: number
  readonly failures: number
  readonly lastFailure?: string
}

export function createKeys(options: {
  readonly issuer: Pick<Issuer, 'readKeys'>
  readonly clock: Clock
  readonly timeoutMs: number
}): Keys {
  const { issuer, clock, timeoutMs } = options
  let held: ReadonlyMap<string, VerifyingKey> = new Map()
  let fetchedAt: Moment | undefined
  let failedAt: Moment | undefined
  let failuresInRow = 0
  /** Only a fetch beyond the `calls` first can settle it, or one that was begun less than `ageMs` ago. */
  let doubted: { readonly calls: number; readonly ageMs: number } | undefined
  const withdrawn = new Map<string, Moment>()

  const fetching = createSharedCall({ clock, limitMs: timeoutMs, run: fetchKeys })

  async function fetchKeys(): Promise<void> {
    const askedAt = clock.now()
    const { calls } = fetching.counts
    try {
      const found = await Promise.all((await issuer.readKeys()).map((jwk) => importKey(jwk, held)))
      const keys = found.filter((key) => key !== undefined)
      // No key at all is a mistake at the other end; acting on it would refuse every token.
      if (keys.length === 0) throw new IssuerUnavailable('the JWK Set has no usable key')
      // A fetch that was given up, and came to an end after the next one.
      if (calls < fetching.counts.calls && fetching.outcome() === 'done') return
      held = new Map(keys.map((key) => [key.kid, key]))
    } catch (error) {
      failedAt = clock.now()
      failuresInRow += 1
      throw error
    }
    fetchedAt = askedAt
    failedAt = undefined
    failuresInRow = 0
    if (doubted && (calls > doubted.calls || clock.sinceMs(askedAt) <= doubted.ageMs)) doubted = undefined
    // For an hour at least: a cache on the way may still answer with the key set of before.
    for (const [kid, heardAt] of withdrawn)
      if (!held.has(kid) && clock.sinceMs(heardAt) >= HOLD_MS) withdrawn.delete(kid)
  }

  const isUsable = () => {
    if (doubted) return false
    const ageMs = clock.sinceMs(fetchedAt)
    return ageMs < STALE_MS || (ageMs < HOLD_MS && clock.sinceMs(failedAt) < OUTAGE_MS)
  }
  const isFree = () => {
    const hasKeys = isUsable()
    // In workerd, a client that hangs up takes the fetch along. A verifier without any key must not pay 30 s for that.
    if (!hasKeys && fetching.outcome() === 'abandoned') return true
    if (doubted?.calls === fetching.counts.calls) return true
    const retryMs = hasKeys || failuresInRow === 0 ? COOLDOWN_MS : FIRST_RETRY_MS * 2 ** (failuresInRow - 1)
    return fetching.sinceStartMs() >= Math.min(retryMs, COOLDOWN_MS)
  }
  const start = (waitUntil: WaitUntil | undefined) => {
    if (isFree()) fetching.start(waitUntil)
  }
  const tend = (waitUntil: WaitUntil | undefined) => {
    if (held.size > 0 && (doubted || clock.sinceMs(fetchedAt) >= REFRESH_MS)) start(waitUntil)
  }
  const fetched = async (waitUntil: WaitUntil | undefined) => {
    start(waitUntil)
    await fetching.settled()
    if (fetching.outcome() === 'abandoned') failedAt = clock.now()
  }

  return {
    tend,
    withdraw: (kid) => void withdrawn.set(kid, clock.now()),
    isWithdrawn: (kid) => withdrawn.has(kid),
    doubt(ageMs) {
      if (held.size === 0 && fetching.outcome() !== 'running') return
      if (clock.sinceMs(fetchedAt) > ageMs || ageMs === 0) doubted = { calls: fetching.counts.calls, ageMs }
    },
    isCurrent: (key) => held.get(key.kid) === key && isUsable(),
    async find(kid, waitUntil) {
      tend(waitUntil)
      if (!isUsable()) await fetched(waitUntil)
      // The fetch that was under way may have been begun too early to settle a doubt.
      if (doubted) await fetched(waitUntil)
      if (!isUsable()) return 'unavailable'
      const key = held.get(kid)
      if (key) return key
      await fetched(waitUntil)
      if (!isUsable()) return 'unavailable'
      return held.get(kid) ?? (fetching.outcome() === 'done' ? 'unknown' : 'unavailable')
    },
    state() {
      const { calls, failures, lastFailure } = fetching.counts
      return {
        kids: [...held.keys()],
        ...(fetchedAt === undefined ? {} : { ageSeconds: clock.sinceMs(fetchedAt) / 1000 }),
        fetches: calls,
        failures,
        ...(lastFailure === undefined ? {} : { lastFailure }),
      }
    },
  }
}

/** Undefined for keys that are not for signatures of access tokens, or that this runtime cannot use. */
async function importKey(jwk: JsonObject, held: ReadonlyMap<string, VerifyingKey>): Promise<VerifyingKey | undefined> {
  const { kid, alg, kty, use } = jwk
  if (typeof kid !== 'string' || typeof alg !== 'string' || typeof kty !== 'string') return undefined
  if (!ALGORITHMS.has(alg) || (use !== undefined && use !== 'sig')) return undefined
  const source = JSON.stringify(jwk)
  const known = held.get(kid)
  if (known?.source === source) return known
  try {
    const key = await importJWK({ ...jwk, kty }, alg)
    return key instanceof Uint8Array ? undefined : { kid, alg, key, source }
  } catch {
    return undefined
  }
}
