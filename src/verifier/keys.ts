/**
 * The issuer's keys.
 *
 * Fetched when a token names a key that is not held, and again in the background once they are five minutes old. One
 * fetch is under way at a time, and at most one is started in 30 s, whatever tokens name and whether it fails or not.
 * While the key set cannot be fetched, keys that are held stay good for an hour.
 */
import type { CryptoKey } from 'jose'
import { importJWK } from 'jose/key/import'
import type { Clock, Moment } from './clock.ts'
import { IssuerUnavailable, type Issuer } from './issuer.ts'
import type { JsonObject } from './json.ts'
import { createSharedCall, type WaitUntil } from './shared-call.ts'

/** What access tokens of Latchkey can be signed with: asymmetric, so that `none` and HMAC never come into question. */
const ALGORITHMS = new Set(['ES256', 'EdDSA', 'RS256'])
/** The `max-age` of the issuer's answer. */
const REFRESH_MS = 300_000
/** An hour of outage, which may begin just before the keys would have been fetched again. */
const HOLD_MS = 3_600_000 + REFRESH_MS
const COOLDOWN_MS = 30_000

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

  const fetching = createSharedCall({
    clock,
    limitMs: timeoutMs,
    async run() {
      const askedAt = clock.now()
      const found = await Promise.all((await issuer.readKeys()).map((jwk) => importKey(jwk, held)))
      const keys = found.filter((key) => key !== undefined)
      // No key at all is a mistake at the other end; acting on it would refuse every token.
      if (keys.length === 0) throw new IssuerUnavailable('the JWK Set has no usable key')
      held = new Map(keys.map((key) => [key.kid, key]))
      fetchedAt = askedAt
    },
  })
  const isHeld = () => clock.sinceMs(fetchedAt) < HOLD_MS
  const start = (waitUntil: WaitUntil | undefined) => {
    // In workerd, a client that hangs up takes the fetch along. A verifier without any key must not pay 30 s for that.
    const isFree = fetching.sinceStartMs() >= COOLDOWN_MS || (held.size === 0 && fetching.outcome() === 'abandoned')
    if (isFree) fetching.start(waitUntil)
  }
  const tend = (waitUntil: WaitUntil | undefined) => {
    if (held.size > 0 && clock.sinceMs(fetchedAt) >= REFRESH_MS) start(waitUntil)
  }

  return {
    tend,
    isCurrent: (key) => held.get(key.kid) === key && isHeld(),
    async find(kid, waitUntil) {
      tend(waitUntil)
      const key = isHeld() ? held.get(kid) : undefined
      if (key) return key
      start(waitUntil)
      await fetching.settled()
      if (!isHeld()) return 'unavailable'
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
