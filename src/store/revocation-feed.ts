/**
 * The revocation feed as the readers of one isolate share it: the store is asked once a second at most, however many poll.
 *
 * The isolate holds the feed's newest entries. Who reads on from a place among them is answered from memory; who comes for
 * the first time, or from further back, reads the store page by page.
 */
import { StoreUnavailable } from '../failure.ts'
import { pause } from '../pause.ts'
import type { Clock } from '../system.ts'
import { FEED_START, type FeedEntry, type Store } from './store.ts'

/** What a reader gets: everything behind its places, or with `reset` everything there is. */
export interface FeedAnswer {
  readonly entries: readonly FeedEntry[]
  /** From where to read on: one place for each bucket. */
  readonly places: readonly string[]
  /** The places could not be continued: what follows begins at the feed's beginning. */
  readonly reset: boolean
  /** The page is full: read on at once. */
  readonly more: boolean
  /** When the store was asked. */
  readonly askedAtMs: number
}

export interface RevocationFeed {
  /**
   * Reads on from `places`, or from the beginning. Waits up to a second for others' reading when this isolate has not seen
   * that far yet.
   * @throws {StoreUnavailable}
   */
  read(places?: readonly string[]): Promise<FeedAnswer>
}

const READ_EVERY_MS = 1000
/** How often a waiting reader looks whether the one that is reading has finished. */
const LOOK_AGAIN_MS = 10
/** How much longer than a store call's deadline a reading may take: one that does has died with its request. */
const READING_EXTRA_MS = 250
/** About 5 MB of memory at most. */
const HELD_LIMIT = 20_000

/** The newest entries of each bucket, in order. */
interface Held {
  readonly buckets: readonly HeldBucket[]
  readonly askedAtMs: number
}

interface HeldBucket {
  /** The place right before the first entry. */
  readonly from: string
  readonly entries: readonly FeedEntry[]
}

export function createRevocationFeed({
  store,
  clock,
  buckets,
  timeoutMs,
}: {
  readonly store: Pick<Store, 'readFeed'>
  readonly clock: Clock
  readonly buckets: number
  /** The deadline of a store call. */
  readonly timeoutMs: number
}): RevocationFeed {
  const heldPerBucket = Math.ceil(HELD_LIMIT / buckets)
  let held: Held | undefined
  /** When the store was last asked for what is held, whatever came of it. */
  let askedAtMs = -Infinity
  let isReading = false
  let hasFailed = false

  /** Reads the store on from what is held, or begins to hold with what is at `places`. */
  async function readOn(places: readonly string[]): Promise<Held> {
    askedAtMs = clock.nowMs()
    isReading = true
    hasFailed = false
    try {
      const before = held?.buckets ?? places.map((from): HeldBucket => ({ from, entries: [] }))
      const pages = await store.readFeed(before.map(lastPlace))
      const grown = before.map((bucket, i): HeldBucket => {
        const page = pages[i]
        if (!page) throw new StoreUnavailable('unreadable reply')
        const all = page.continued
          ? { ...bucket, entries: [...bucket.entries, ...page.entries] }
          : { from: FEED_START, entries: page.entries }
        return newest(all, heldPerBucket)
      })
      const isAtEnd = pages.every(({ full }) => !full)
      held = { buckets: grown, askedAtMs: isAtEnd ? askedAtMs : -Infinity }
      return isAtEnd ? held : await readOn(places)
    } catch (error) {
      hasFailed = true
      throw error
    } finally {
      isReading = false
    }
  }

  /** What is held, as of `sinceMs` or later: read by this request or, meanwhile, by another. */
  async function heldSince(sinceMs: number, places: readonly string[]): Promise<Held> {
    for (;;) {
      if (held && held.askedAtMs >= sinceMs && held.askedAtMs <= clock.nowMs()) return held
      const sinceAskedMs = Math.abs(clock.nowMs() - askedAtMs)
      if (sinceAskedMs >= (isReading ? timeoutMs + READING_EXTRA_MS : READ_EVERY_MS)) return readOn(places)
      if (hasFailed) throw new StoreUnavailable('the feed was not read')
      await pause(LOOK_AGAIN_MS)
    }
  }

  async function fromStore(places: readonly string[], reset: boolean): Promise<FeedAnswer> {
    const nowMs = clock.nowMs()
    const pages = await store.readFeed(places)
    // One bucket that cannot be continued makes the whole answer a new beginning.
    if (!reset && pages.some(({ continued }) => !continued)) return fromStore(beginning(buckets), true)
    return {
      entries: pages.flatMap(({ entries }) => entries),
      places: pages.map(({ entries }, i) => entries.at(-1)?.place ?? places[i] ?? FEED_START),
      reset,
      more: pages.some(({ full }) => full),
      askedAtMs: nowMs,
    }
  }

  return {
    async read(places) {
      if (places?.length !== buckets) return fromStore(beginning(buckets), true)
      const startedAtMs = clock.nowMs()
      // Less than a second old.
      let now = await heldSince(startedAtMs - READ_EVERY_MS + 1, places)
      // Another isolate has shown this reader more than we have seen: look again.
      if (isAhead(places, now)) now = await heldSince(startedAtMs, places)
      const entries = now.buckets.map((bucket, i) => entriesAfter(bucket, places[i] ?? FEED_START))
      if (entries.some((each) => each === undefined)) return fromStore(places, false)
      return {
        entries: entries.flatMap((each) => each ?? []),
        places: now.buckets.map(lastPlace),
        reset: false,
        more: false,
        askedAtMs: now.askedAtMs,
      }
    },
  }
}

function beginning(buckets: number): readonly string[] {
  return Array.from({ length: buckets }, () => FEED_START)
}

function lastPlace({ from, entries }: HeldBucket): string {
  return entries.at(-1)?.place ?? from
}

function newest(bucket: HeldBucket, limit: number): HeldBucket {
  const dropped = bucket.entries.length - limit
  if (dropped <= 0) return bucket
  return { from: bucket.entries[dropped - 1]?.place ?? bucket.from, entries: bucket.entries.slice(dropped) }
}

/** Undefined if the place is not among what is held. */
function entriesAfter({ from, entries }: HeldBucket, place: string): readonly FeedEntry[] | undefined {
  if (place === from) return entries
  const at = entries.findLastIndex((entry) => entry.place === place)
  return at === -1 ? undefined : entries.slice(at + 1)
}

function isAhead(places: readonly string[], { buckets }: Held): boolean {
  return buckets.some((bucket, i) => comparePlaces(places[i] ?? FEED_START, lastPlace(bucket)) > 0)
}

/** By milliseconds, then by sequence number: what Redis compares stream ids by. */
function comparePlaces(a: string, b: string): number {
  const [aMs = 0, aSequence = 0] = a.split('-').map(Number)
  const [bMs = 0, bSequence = 0] = b.split('-').map(Number)
  return aMs - bMs || aSequence - bSequence
}
