import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FEED_START, type Store } from '../../src/store/store.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeForms, storeUser, type StoredUser, type TestStore } from '../support/store.ts'

describe.each(storeForms)('every session of everyone $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets) })
  })
  afterAll(() => started.stop())

  const newUsers = () => Promise.all(Array.from({ length: 20 }, () => storeUser(store, { buckets })))
  /** Somebody in the same bucket. */
  const newNeighbour = async (epoch: string): Promise<StoredUser> => {
    for (;;) {
      const user = await storeUser(store, { buckets })
      if (user.keys.epoch(user.account.userId) === epoch) return user
    }
  }
  const feeds = async () => store.readFeed(Array.from({ length: buckets }, () => FEED_START))
  const isLive = async ({ account: { userId } }: StoredUser, sid: string, nowMs: number) => {
    const statuses = []
    for (const reads of ['nearest', 'primary']) {
      const reader = started.connect({ STORE_BUCKETS: String(buckets), CHECK_READS: reads })
      statuses.push((await reader.check({ userId, sid, jti: 'j', nowMs })).status)
    }
    return statuses
  }

  it('ends in one trip, and each bucket’s feed says so once', async () => {
    const nowMs = Date.now()
    const users = await newUsers()
    const sessions = await Promise.all(users.map(({ open }) => open(store, nowMs)))
    started.storeRequests.length = 0
    await store.endEveryone({ epoch: 'epoch-01', nowMs: nowMs + 5, actor })
    expect(started.storeRequests).toHaveLength(1)
    await store.endEveryone({ epoch: 'epoch-01', nowMs: nowMs + 6, actor })
    for (const [i, user] of users.entries()) {
      const session = sessions[i]
      if (!session) throw new Error('no session')
      const { userId } = user.account
      expect(await isLive(user, session.sid, nowMs)).toEqual(['ended', 'ended'])
      expect(await outcomeOf(store.rotate(session.turn(0, nowMs)))).toBe('unknown')
      expect(await store.listSessions({ userId, nowMs })).toEqual([])
      expect(await store.endSession({ userId, sid: session.sid, nowMs, actor })).toBe('gone')
      const denial = { userId, sid: session.sid, clientId: 'app', jti: 'j', expMs: nowMs + 60_000, nowMs, actor }
      expect(await store.denyToken(denial)).toBe('gone')
    }
    for (const { entries } of await feeds())
      expect(entries.filter(({ kind }) => kind === 'all')).toMatchObject([
        { id: 'epoch-01', beforeMs: nowMs + 5, expMs: nowMs + 5 + 360_000 },
      ])
  })

  it('is left behind by who signs in again', async () => {
    const nowMs = Date.now()
    const user = await storeUser(store, { buckets })
    const before = await user.open(store, nowMs)
    await store.endEveryone({ epoch: 'epoch-02', nowMs, actor })
    const after = await user.open(store, nowMs + 1)
    // What has ended already is not superseded.
    expect(after.superseded).toEqual([])
    expect(await isLive(user, after.sid, nowMs + 1)).toEqual(['live', 'live'])
    expect(await outcomeOf(store.rotate(after.turn(0, nowMs + 1)))).toBe('rotated')
    expect(await outcomeOf(store.rotate(before.turn(0, nowMs + 1)))).toBe('superseded')
    // Asked once more, after the sign-in.
    await store.endEveryone({ epoch: 'epoch-02', nowMs: nowMs + 2, actor })
    expect(await isLive(user, after.sid, nowMs + 2)).toEqual(['live', 'live'])
  })

  it('is dead while its epoch is lost, and stays so when others sign in', async () => {
    const nowMs = Date.now()
    const user = await storeUser(store, { buckets })
    const { keys, account } = user
    const epoch = keys.epoch(account.userId)
    const lost = await user.open(store, nowMs)
    await started.direct.del(epoch)
    expect(await isLive(user, lost.sid, nowMs)).toEqual(['ended', 'ended'])
    expect(await outcomeOf(store.rotate(lost.turn(0, nowMs)))).toBe('unknown')
    for (const damaged of ['', 'epoch']) {
      await started.direct.set(epoch, damaged)
      expect(await isLive(user, lost.sid, nowMs)).toEqual(['ended', 'ended'])
    }
    await started.direct.del(epoch)
    const neighbour = await newNeighbour(epoch)
    const after = await neighbour.open(store, nowMs)
    expect(await started.direct.get(epoch)).toHaveLength(8)
    expect(await isLive(neighbour, after.sid, nowMs)).toEqual(['live', 'live'])
    expect(await isLive(user, lost.sid, nowMs)).toEqual(['ended', 'ended'])
  })

  it('that was ended does not come to life again when the epoch is lost', async () => {
    const nowMs = Date.now()
    await started.direct.flushall()
    const user = await storeUser(store, { buckets })
    // The first one of the bucket, so that none was ever ended before it.
    const ended = await user.open(store, nowMs)
    await store.endEveryone({ epoch: 'epoch-03', nowMs, actor })
    await started.direct.del(user.keys.epoch(user.account.userId))
    expect(await isLive(user, ended.sid, nowMs)).toEqual(['ended', 'ended'])
    expect(await outcomeOf(store.rotate(ended.turn(0, nowMs)))).toBe('unknown')
  })
})
