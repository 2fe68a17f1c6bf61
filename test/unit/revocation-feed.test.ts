import { describe, expect, it } from 'vitest'
import { StoreUnavailable } from '../../src/failure.ts'
import { createRevocationFeed } from '../../src/store/revocation-feed.ts'
import { FEED_START, type FeedEntry, type FeedPage } from '../../src/store/store.ts'

/** A store with one bucket whose entries, and whose outages, the test makes; and a clock that it moves. */
function begin({ page: pageSize = 3 } = {}) {
  let nowMs = 1_800_000_000_000
  let entries: FeedEntry[] = []
  let isDown = false
  const asked: string[] = []
  const page = (place: string): FeedPage => {
    const at = entries.findIndex((entry) => entry.place === place)
    const continued = place === FEED_START || at !== -1
    const all = continued ? entries.slice(at + 1) : entries
    return { entries: all.slice(0, pageSize), continued, full: all.length >= pageSize }
  }
  const store = {
    readFeed: ([place = '']: readonly string[]) => {
      asked.push(place)
      return isDown ? Promise.reject(new StoreUnavailable('down')) : Promise.resolve([page(place)])
    },
  }
  const clock = { nowMs: () => nowMs }
  const isolate = () => createRevocationFeed({ store, clock, buckets: 1, timeoutMs: 800, windowMs: nowMs + 360_000 })
  const add = (place: string) => void entries.push({ place, kind: 'sid', id: place, expMs: nowMs + 300_000 })
  return {
    asked,
    isolate,
    add,
    lose: (place: string) => void (entries = entries.filter((entry) => entry.place !== place)),
    down: (is: boolean) => void (isDown = is),
    advance: (ms: number) => void (nowMs += ms),
    nowMs: () => nowMs,
  }
}

const places = (answer: { readonly entries: readonly FeedEntry[] }) => answer.entries.map(({ place }) => place)

describe('the revocation feed of an isolate', () => {
  it('is read from the store once a second, however many ask', async () => {
    const { isolate, add, asked, advance } = begin()
    add('1-0')
    const feed = isolate()
    for (let second = 0; second < 5; second++) {
      for (let times = 0; times < 20; times++) expect(places(await feed.read(['1-0']))).toEqual([])
      advance(1000)
    }
    expect(asked).toHaveLength(5)
  })

  it('gives each reader what is behind its own place', async () => {
    const { isolate, add, advance, asked } = begin()
    add('1-0')
    const feed = isolate()
    await feed.read(['1-0'])
    for (const place of ['2-0', '2-1']) add(place)
    advance(1000)
    expect(places(await feed.read(['1-0']))).toEqual(['2-0', '2-1'])
    expect(places(await feed.read(['2-0']))).toEqual(['2-1'])
    expect(await feed.read(['2-1'])).toMatchObject({ entries: [], places: ['2-1'], reset: false, more: false })
    expect(asked).toHaveLength(2)
  })

  it('gives whoever begins the first page, and whoever comes from further back the next ones', async () => {
    const { isolate, add, asked } = begin()
    for (let i = 1; i <= 5; i++) add(`${i}-0`)
    const feed = isolate()
    await feed.read(['5-0'])
    const first = await feed.read()
    expect(places(first)).toEqual(['1-0', '2-0', '3-0'])
    expect(first).toMatchObject({ reset: true, more: true, places: ['3-0'] })
    const second = await feed.read(first.places)
    expect(places(second)).toEqual(['4-0', '5-0'])
    expect(second).toMatchObject({ reset: false, more: false, places: ['5-0'] })
    expect(asked).toEqual(['5-0', FEED_START, '3-0'])
    for (let times = 0; times < 20; times++) await feed.read()
    expect(asked).toHaveLength(3)
  })

  it('begins anew for a reader whose place is no longer there, or who counts other buckets', async () => {
    const { isolate, add, lose, advance } = begin()
    for (const place of ['1-0', '2-0']) add(place)
    const feed = isolate()
    await feed.read(['2-0'])
    lose('1-0')
    expect(await feed.read(['1-0'])).toMatchObject({ reset: true, entries: [{ place: '2-0' }] })
    expect(await feed.read(['2-0', '2-0'])).toMatchObject({ reset: true, entries: [{ place: '2-0' }] })
    lose('2-0')
    advance(1000)
    expect(await feed.read(['2-0'])).toMatchObject({ reset: true, entries: [], places: [FEED_START] })
    add('3-0')
    advance(1000)
    expect(places(await feed.read([FEED_START]))).toEqual(['3-0'])
  })

  it('waits for its own next look when a reader has seen more elsewhere, and misses nothing', async () => {
    const { isolate, add, asked, advance } = begin()
    add('1-0')
    const behind = isolate()
    await behind.read(['1-0'])
    add('2-0')
    const reader = behind.read(['2-0'])
    add('3-0')
    advance(1000)
    expect(await reader).toMatchObject({ reset: false, entries: [{ place: '3-0' }], places: ['3-0'] })
    expect(asked).toHaveLength(2)
  })

  it('begins anew when the store has lost what a reader had seen', async () => {
    const { isolate, add, lose, advance } = begin()
    add('1-0')
    const feed = isolate()
    await feed.read(['1-0'])
    add('2-0')
    lose('2-0')
    const reader = feed.read(['2-0'])
    advance(1000)
    expect(await reader).toMatchObject({ reset: true, entries: [{ place: '1-0' }] })
  })

  it('says when the store was asked', async () => {
    const { isolate, add, advance, nowMs } = begin()
    add('1-0')
    const feed = isolate()
    const startedAtMs = nowMs()
    await feed.read(['1-0'])
    advance(700)
    expect((await feed.read(['1-0'])).askedAtMs).toBe(startedAtMs)
    expect((await feed.read()).askedAtMs).toBe(nowMs())
  })

  it('refuses everybody at once while the store is down, asks once a second, and recovers', async () => {
    const { isolate, add, asked, advance, down } = begin()
    add('1-0')
    const feed = isolate()
    await feed.read(['1-0'])
    down(true)
    for (let second = 0; second < 3; second++) {
      advance(1000)
      for (let times = 0; times < 10; times++) await expect(feed.read(['1-0'])).rejects.toThrow(StoreUnavailable)
    }
    expect(asked).toHaveLength(4)
    down(false)
    add('2-0')
    advance(1000)
    expect(places(await feed.read(['1-0']))).toEqual(['2-0'])
  })

  it('holds the newest entries only, however many come; who is further behind reads the store', async () => {
    const { isolate, add, advance, asked } = begin({ page: 5000 })
    add('1-0')
    const feed = isolate()
    await feed.read(['1-0'])
    for (let i = 0; i < 25_000; i++) add(`2-${i}`)
    advance(1000)
    expect(await feed.read(['2-24998'])).toMatchObject({ entries: [{ place: '2-24999' }] })
    const reads = asked.length
    expect((await feed.read(['2-5000'])).entries).toHaveLength(19_999)
    expect(asked).toHaveLength(reads)
    expect((await feed.read(['2-3000'])).entries).toHaveLength(5000)
    expect(asked).toHaveLength(reads + 1)
  })
})
