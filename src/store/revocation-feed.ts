/**
 * The revocation feed as the readers of one isolate share it: the store is asked once a second at most, however many poll.
 *
 * The isolate holds the feed's newest entries. Who reads on from a place among them is answered from memory, and so is who
 * begins; who comes from further back reads the store page by page.
 */
import { StoreUnavailable } from '../failure.ts'
import type { Clock } from '../system.ts'
import { shareReading, type Reading } from './shared-reading.ts'
import { FEED_START, type FeedEntry, type FeedPage, type Store } from './store.ts'

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
   * Reads on from `places`, or from the beginning. Waits up to a second for a reading of the store when this isolate has not
   * seen that far yet.
   * @throws {StoreUnavailable}
   */
  read(places?: readonly string[]): Promise<FeedAnswer>
}

/** About 5 MB of memory at most. */
const HELD_LIMIT = 20_000

/** The newest entries of a bucket, in order. */
interface Held {
  /** The place right before the first entry. */
  readonly from: string
  readonly entries: readonly FeedEntry[]
}

interface FeedParts {
  readonly store: Pick<Store, 'readFeed'>
  readonly clock: Clock
  readonly buckets: number
  /** The deadline of a store call. */
  readonly timeoutMs: number
  /** How long an entry stays in the feed. */
  readonly windowMs: number
}

export function createRevocationFeed({ store, buckets, windowMs, ...parts }: FeedParts): RevocationFeed {
  const { clock } = parts
  const start = Array.from({ length: buckets }, () => FEED_START)
  const heldPerBucket = Math.ceil(HELD_LIMIT / buckets)
  /** Where the first reader read on, when nothing was held yet. */
  let firstPlaces: readonly string[] = start
  const news = shareReading(readOn, parts)
  const firstPage = shareReading(() => readStore(start), parts)

  async function readStore(places: readonly string[]): Promise<readonly FeedPage[]> {
    const pages = await store.readFeed(places)
    if (pages.length !== buckets) throw new StoreUnavailable('unreadable reply')
    return pages
  }

  /** Adds what is new to what is held, until there is no more. */
  async function readOn(held: readonly Held[] | undefined): Promise<readonly Held[]> {
    const before = held ?? firstPlaces.map((from): Held => ({ from, entries: [] }))
    const pages = await readStore(before.map(lastPlace))
    const grown = pages.map((page, i): Held => {
      const known = page.continued ? before[i] : undefined
      const { from, entries } = known ?? { from: FEED_START, entries: [] }
      return newest({ from, entries: [...entries, ...page.entries] }, heldPerBucket)
    })
    return pages.some(({ full }) => full) ? readOn(grown) : grown
  }

  async function fromBeginning(): Promise<FeedAnswer> {
    const { value: pages, askedAtMs } = await firstPage.read()
    return { ...describe(pages, start), reset: true, askedAtMs }
  }

  async function fromStore(places: readonly string[]): Promise<FeedAnswer> {
    const askedAtMs = clock.nowMs()
    const pages = await readStore(places)
    // One bucket that cannot be continued makes the whole answer a new beginning.
    if (pages.some(({ continued }) => !continued)) return fromBeginning()
    return { ...describe(pages, places), reset: false, askedAtMs }
  }

  function fromMemory(
    places: readonly string[],
    { value, askedAtMs }: Reading<readonly Held[]>,
  ): FeedAnswer | undefined {
    const behind = value.map((held, i) => entriesAfter(held, places[i] ?? FEED_START))
    const entries: FeedEntry[] = []
    for (const each of behind) {
      if (!each) return undefined
      entries.push(...each)
    }
    return { entries, places: value.map(lastPlace), reset: false, more: false, askedAtMs }
  }

  return {
    async read(places) {
      if (places?.length !== buckets) return fromBeginning()
      const arrivedAtMs = clock.nowMs()
      firstPlaces = places
      let now = await news.read()
      // Another isolate has shown this reader more than we have seen: look again.
      if (isAhead(places, now.value)) now = await news.read(arrivedAtMs)
      const answer = fromMemory(places, now)
      if (answer) return answer
      const isTooOld = places.some((place) => place !== FEED_START && parsePlace(place).ms < arrivedAtMs - windowMs)
      return isTooOld ? fromBeginning() : fromStore(places)
    },
  }
}

function describe(pages: readonly FeedPage[], places: readonly string[]) {
  return {
    entries: pages.flatMap(({ entries }) => entries),
    places: pages.map(({ entries }, i) => entries.at(-1)?.place ?? places[i] ?? FEED_START),
    more: pages.some(({ full }) => full),
  }
}

function lastPlace({ from, entries }: Held): string {
  return entries.at(-1)?.place ?? from
}

function newest(held: Held, limit: number): Held {
  const dropped = held.entries.length - limit
  if (dropped <= 0) return held
  return { from: held.entries[dropped - 1]?.place ?? held.from, entries: held.entries.slice(dropped) }
}

/** Undefined if the place is not among what is held. */
function entriesAfter({ from, entries }: Held, place: string): readonly FeedEntry[] | undefined {
  if (place === from) return entries
  const at = entries.findLastIndex((entry) => entry.place === place)
  return at === -1 ? undefined : entries.slice(at + 1)
}

function isAhead(places: readonly string[], buckets: readonly Held[]): boolean {
  return buckets.some((held, i) => {
    const [seen, last] = [parsePlace(places[i] ?? FEED_START), parsePlace(lastPlace(held))]
    return seen.ms > last.ms || (seen.ms === last.ms && seen.sequence > last.sequence)
  })
}

/** What Redis orders stream ids by. */
function parsePlace(place: string): { readonly ms: number; readonly sequence: number } {
  const [ms, sequence] = place.split('-', 2).map(Number)
  return { ms: ms ?? 0, sequence: sequence ?? 0 }
}
