/** The key ring as an isolate holds it: opened, remembered for a minute, tended when it falls behind its times. */
import type { JWK } from 'jose'
import { KeyRingUnreadable, StoreUnavailable } from '../failure.ts'
import { keptAnyway, type Keep } from '../keep.ts'
import type { Log } from '../log.ts'
import { pause } from '../pause.ts'
import type { Clock } from '../system.ts'
import { tendRing, type RingTools } from './key-changes.ts'
import { publishedKeys, signingKey, steadySpan, type Ring } from './ring.ts'
import { openKey, type SigningKey } from './sealed-key.ts'

/** The ring at one moment. */
export interface KeyRing {
  /** All published keys. */
  readonly keys: readonly SigningKey[]
  /** The one that signs. */
  readonly signing: SigningKey
}

interface Demand {
  /** The key is looked for even if the ring was read a moment ago. */
  readonly certain?: boolean
  readonly keep?: Keep | undefined
}

/** Where the isolate gets its keys from. */
export interface KeyRingSource {
  /**
   * The ring as of now. With the `kid` of a token it is read again when it does not know that key, but not more often than
   * every half minute; for a caller who must be `certain`, each time.
   *
   * @throws {StoreUnavailable} when there is no usable ring in memory and the store cannot give one, or when the key is
   * unknown because the store could not be asked: that does not make a bad token
   */
  current(kid?: string, demand?: Demand): Promise<KeyRing>
  /** Reads the ring and adds the key that it lacks, if it lacks one. @throws {StoreUnavailable | KeyRingUnreadable} */
  tend(): Promise<void>
}

/** How long an isolate uses a ring before it reads it again: the longest that a withdrawn key is still accepted. */
const RING_CACHE_MS = 60_000
/** How soon after a read an unknown key, or a failed read, may cause another. */
const READ_AGAIN_MS = 30_000

/** How often, and how many times at most, a request looks whether another one's reading is over: a second in all. */
const LOOK_AGAIN_MS = 10
const LOOK_LIMIT = 100

interface Held {
  readonly ring: Ring
  readonly opened: ReadonlyMap<string, SigningKey>
}

export function createKeyRing({ clock, log, ...tools }: RingTools & { clock: Clock; log: Log }): KeyRingSource {
  let held: Held | undefined
  /** When the ring was last asked for; set before the answer, so that one request reads it and the others go on. */
  let askedAtMs = -Infinity
  let hasFailed = false
  let isReading = false

  async function read(): Promise<Held> {
    const change = await tendRing(tools, clock.nowMs(), held?.ring)
    if (change.ours && change.added) log.event('key.added', { kid: change.added.kid, alg: change.added.alg })
    if (change.ours && !change.added) log.event('key.restored', { detail: 'the store had lost the key ring' })
    return open(change.ring)
  }

  /** Keys that are held already are not opened again. */
  async function open(ring: Ring): Promise<Held> {
    const keys = publishedKeys(ring, clock.nowMs(), tools.times)
    const opened = await Promise.all(keys.map(async (key) => held?.opened.get(key.kid) ?? openKey(key, tools.seals)))
    return { ring, opened: new Map(opened.map((key) => [key.kid, key])) }
  }

  async function renew(): Promise<Held> {
    askedAtMs = clock.nowMs()
    isReading = true
    try {
      held = await read()
      hasFailed = false
      return held
    } catch (error) {
      hasFailed = true
      if (error instanceof StoreUnavailable) throw error
      // Not ours, or damaged: the store holds no ring of this service.
      throw new KeyRingUnreadable('the key ring does not open with this LATCHKEY_SECRET')
    } finally {
      isReading = false
    }
  }

  /** What another request is reading just now may know the key: waits for it, by timers of this request's own. */
  async function untilRead(): Promise<void> {
    const isOver = () => !isReading
    for (let looked = 0; !isOver() && looked < LOOK_LIMIT; looked++) await pause(LOOK_AGAIN_MS)
  }

  function isDue(isKnown: boolean, certain: boolean): boolean {
    const sinceMs = Math.abs(clock.nowMs() - askedAtMs)
    return (certain && !isKnown) || sinceMs >= (isKnown ? RING_CACHE_MS : READ_AGAIN_MS)
  }

  async function renewIfPossible(known: Held): Promise<Held> {
    try {
      return await renew()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      askedAtMs = clock.nowMs() - RING_CACHE_MS + READ_AGAIN_MS
      log.event('store.unavailable', { detail: `the key ring is kept as it was: ${error.message}` })
      return known
    }
  }

  /** What was shown last, and for how long it stays true. */
  let shown:
    | { readonly of: Held; readonly fromMs: number; readonly untilMs: number; readonly keyRing: KeyRing }
    | undefined

  function showNow(of: Held): KeyRing {
    const nowMs = clock.nowMs()
    if (shown?.of === of && shown.fromMs <= nowMs && nowMs < shown.untilMs) return shown.keyRing
    const { ring, opened } = of
    const keys = publishedKeys(ring, nowMs, tools.times).flatMap((key) => opened.get(key.kid) ?? [])
    const signing = opened.get(signingKey(ring, nowMs)?.kid ?? '')
    if (!signing) throw new StoreUnavailable('the key ring has no key that may sign')
    shown = { of, ...steadySpan(ring, nowMs, tools.times), keyRing: { keys, signing } }
    return shown.keyRing
  }

  return {
    async current(kid, { certain = false, keep = keptAnyway } = {}) {
      const known = held ?? (await keep(renew()))
      const knows = ({ opened }: Held) => kid === undefined || opened.has(kid)
      let now = isDue(knows(known), certain) ? await keep(renewIfPossible(known)) : known
      if (isReading && !knows(now)) {
        await untilRead()
        now = held ?? now
      }
      if (hasFailed && !knows(now)) throw new StoreUnavailable('the key ring could not be read')
      return showNow(now)
    },
    async tend() {
      await renew()
    },
  }
}

/** The JWK Set as verifiers fetch it. RFC 7517 section 5. */
export function publicKeySet({ keys }: KeyRing): { keys: JWK[] } {
  return { keys: keys.map(({ publicJwk }) => publicJwk) }
}
