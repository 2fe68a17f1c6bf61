import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FEED_START, type FeedEntry, type Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { actor } from '../support/actor.ts'
import { startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

describe.each(storeForms)('the revocation feed $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets) })
  })
  afterAll(() => started.stop())

  const starts = () => Array.from({ length: buckets }, () => FEED_START)
  const readAll = async (places = starts()): Promise<FeedEntry[]> =>
    (await store.readFeed(places)).flatMap(({ entries }) => entries)
  const ends = async () => (await store.readFeed(starts())).map(({ entries }) => entries.at(-1)?.place ?? FEED_START)
  const told = (entries: FeedEntry[]) => entries.map(({ kind, id, expMs }) => ({ kind, id, expMs }))

  it('tells of a session that ended, once', async () => {
    const places = await ends()
    const nowMs = Date.now()
    const user = await storeUser(store, { buckets })
    const { sid } = await user.open(store, nowMs)
    const ending = { userId: user.account.userId, sid, nowMs, actor }
    expect(await store.endSession({ ...ending, clientId: 'tablet' })).toBe('foreign')
    expect(await readAll(places)).toEqual([])
    expect(await store.endSession({ ...ending, clientId: 'app' })).toBe('ended')
    expect(await store.endSession(ending)).toBe('gone')
    expect(told(await readAll(places))).toEqual([{ kind: 'sid', id: sid, expMs: nowMs + 360_000 }])
  })

  it('tells of a token that was denied, once, and the token is refused', async () => {
    const places = await ends()
    const nowMs = Date.now()
    const user = await storeUser(store, { buckets })
    const { sid } = await user.open(store, nowMs)
    const { userId } = user.account
    const denial = { userId, sid, clientId: 'app', jti: mintId(systemRandom), expMs: nowMs + 60_000, nowMs, actor }
    expect(await store.denyToken({ ...denial, clientId: 'tablet' })).toBe('foreign')
    expect(await store.denyToken({ ...denial, sid: mintId(systemRandom) })).toBe('gone')
    expect(await store.denyToken(denial)).toBe('denied')
    expect(await store.denyToken(denial)).toBe('gone')
    expect(await store.denyToken({ ...denial, jti: mintId(systemRandom), expMs: nowMs - 60_000 })).toBe('gone')
    expect(told(await readAll(places))).toEqual([{ kind: 'jti', id: denial.jti, expMs: denial.expMs + 60_000 }])
    expect(await store.check({ userId, sid, jti: denial.jti, nowMs })).toEqual({ status: 'denied' })
    const life = await started.direct.pttl(user.keys.denial(userId, denial.jti))
    expect(life).toBeGreaterThan(100_000)
    expect(life).toBeLessThanOrEqual(120_000)
  })

  it('tells of a denial again when it is to last longer, and never shortens one', async () => {
    const places = await ends()
    const nowMs = Date.now()
    const user = await storeUser(store, { buckets })
    const { sid } = await user.open(store, nowMs)
    const { userId } = user.account
    const denial = { userId, sid, clientId: 'app', jti: mintId(systemRandom), expMs: nowMs + 1000, nowMs, actor }
    expect(await store.denyToken(denial)).toBe('denied')
    const later = { ...denial, expMs: nowMs + 300_000 }
    expect(await store.denyToken(later)).toBe('denied')
    expect(await store.denyToken(denial)).toBe('gone')
    expect(await store.denyToken(later)).toBe('gone')
    expect(told(await readAll(places)).map(({ expMs }) => expMs)).toEqual([nowMs + 61_000, nowMs + 360_000])
    expect(await started.direct.pttl(user.keys.denial(userId, denial.jti))).toBeGreaterThan(300_000)
  })

  it('is read on from a place, page by page, and from the beginning when the place is gone', async () => {
    const user = await storeUser(store, { buckets })
    const feed = user.keys.feed(user.account.userId)
    await started.direct.del(feed)
    const { userId } = user.account
    const { sid } = await user.open(store, Date.now())
    const deny = () => {
      const nowMs = Date.now()
      const jti = mintId(systemRandom)
      return store.denyToken({ userId, sid, clientId: 'app', jti, expMs: nowMs + 60_000, nowMs, actor })
    }
    const bucket = user.keys.feeds.indexOf(feed)
    const read = async (place: string) => (await store.readFeed(starts().with(bucket, place)))[bucket]
    expect(await read(FEED_START)).toEqual({ entries: [], continued: true, full: false })
    for (let times = 0; times < 3; times++) await deny()
    const all = (await read(FEED_START))?.entries ?? []
    expect(all).toHaveLength(3)
    expect(await read(all[0]?.place ?? '')).toEqual({ entries: all.slice(1), continued: true, full: false })
    expect(await read(all[2]?.place ?? '')).toEqual({ entries: [], continued: true, full: false })
    const streamId = /^\d+-\d+/.exec(all[0]?.place ?? '')?.[0] ?? ''
    await started.direct.xdel(feed, streamId)
    expect(await read(all[0]?.place ?? '')).toEqual({ entries: all.slice(1), continued: false, full: false })
    // A store that lost an entry may give its stream id to another.
    expect(await read(`${/^\d+-\d+/.exec(all[2]?.place ?? '')?.[0]}-other`)).toMatchObject({ continued: false })
    expect(await read('9999999999999-0')).toEqual({ entries: all.slice(1), continued: false, full: false })
  })

  it('comes in pages of five thousand, all buckets together', async () => {
    const user = await storeUser(store, { buckets })
    const feed = user.keys.feed(user.account.userId)
    const bucket = user.keys.feeds.indexOf(feed)
    const most = Math.ceil(5000 / buckets)
    const pipeline = started.direct.pipeline().del(feed)
    for (let i = 0; i <= most; i++) pipeline.xadd(feed, '*', 'kind', 'jti', 'id', `jti-${i}`, 'exp', '1900000000000')
    await pipeline.exec()
    const first = (await store.readFeed(starts()))[bucket]
    expect([first?.entries.length, first?.full]).toEqual([most, true])
    const second = (await store.readFeed(starts().with(bucket, first?.entries.at(-1)?.place ?? '')))[bucket]
    expect(second?.entries.map(({ id }) => id)).toEqual([`jti-${most}`])
    expect([second?.continued, second?.full]).toEqual([true, false])
    await started.direct.del(feed)
  })

  it('is emptied by no clock that runs ahead, the caller’s or the store’s', async () => {
    const user = await storeUser(store, { buckets })
    const feed = user.keys.feed(user.account.userId)
    const { userId } = user.account
    const end = async (nowMs: number) => {
      const { sid } = await user.open(store, nowMs)
      await store.endSession({ userId, sid, nowMs, actor })
    }
    const bucket = user.keys.feeds.indexOf(feed)
    const length = async () => (await store.readFeed(starts()))[bucket]?.entries.length ?? 0
    await started.direct.del(feed)
    // Redis trims whole nodes of a hundred.
    for (let i = 0; i < 250; i++) await end(Date.now())
    await end(Date.now() + 3_600_000)
    expect(await length()).toBe(251)
    await started.direct.call('XSETID', feed, `${Date.now() + 3_600_000}-0`)
    await end(Date.now())
    expect(await length()).toBe(252)
  })

  it('costs one round trip, whatever the number of buckets', async () => {
    started.storeRequests.splice(0)
    await readAll()
    expect(started.storeRequests.map(({ commands }) => commands.length)).toEqual([buckets])
  })
})
