import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintUserId } from '../../src/store/keys.ts'
import { FEED_START, type Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

const DAY_MS = 86_400_000

describe.each(storeForms)('a password that its owner changes $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets), SESSIONS_PER_USER: '3' })
  })
  afterAll(() => started.stop())

  const newUser = () => storeUser(store, { buckets })
  const told = async (sids: readonly string[]) => {
    const pages = await store.readFeed(Array.from({ length: buckets }, () => FEED_START))
    return pages.flatMap(({ entries }) => entries).filter(({ id }) => sids.includes(id))
  }

  it('ends every session but the one that asks, and verifiers hear of it', async () => {
    const nowMs = Date.now()
    const { account, keys, open } = await newUser()
    const [one, asking, three] = [await open(store, nowMs), await open(store, nowMs), await open(store, nowMs)]
    const change = { account, newHash: 'new', sid: asking.sid, nowMs, actor }
    const changed = await store.changePassword(change)
    expect(changed).toEqual({ status: 'changed', ended: expect.arrayContaining([one.sid, three.sid]) })
    for (const { sid, turn } of [one, three]) {
      expect(await store.check({ userId: account.userId, sid, jti: 'j', nowMs })).toEqual({ status: 'ended' })
      expect(await outcomeOf(store.rotate(turn(0, nowMs)))).toBe('unknown')
    }
    expect(await outcomeOf(store.rotate(asking.turn(0, nowMs)))).toBe('rotated')
    expect((await told([one.sid, asking.sid, three.sid])).map(({ id }) => id).toSorted()).toEqual(
      [one.sid, three.sid].toSorted(),
    )
    expect(await store.findAccount(account.username)).toEqual({ ...account, hash: 'new' })
    const lifeMs = await started.direct.pttl(keys.session(account.userId))
    expect(lifeMs).toBeGreaterThan(7 * DAY_MS)
    expect(lifeMs).toBeLessThanOrEqual(8 * DAY_MS)
    for (const key of [await keys.account(account.username), keys.username(account.userId)])
      expect(await started.direct.pttl(key)).toBe(-1)
    expect(await store.changePassword(change)).toEqual({ status: 'changed', ended: [] })
    expect(await told([one.sid, three.sid])).toHaveLength(2)
  })

  it('is changed once when 100 ask at once', async () => {
    const nowMs = Date.now()
    const { account, open } = await newUser()
    const { sid } = await open(store, nowMs)
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => store.changePassword({ account, newHash: `new-${i}`, sid, nowMs, actor })),
    )
    const winner = outcomes.findIndex(({ status }) => status === 'changed')
    expect(outcomes.filter(({ status }) => status === 'conflict')).toHaveLength(99)
    expect((await store.findAccount(account.username))?.hash).toBe(`new-${winner}`)
  })

  it('is left alone when the session that asks is not live', async () => {
    const nowMs = Date.now()
    const { account, open } = await newUser()
    const { sid, turn } = await open(store, nowMs)
    const change = { account, newHash: 'new', sid, nowMs, actor }
    expect(await store.changePassword({ ...change, sid: 'another' })).toEqual({ status: 'gone' })
    expect(await store.changePassword({ ...change, nowMs: nowMs + 7 * DAY_MS })).toEqual({ status: 'gone' })
    for (const generation of [0, 1, 0]) await store.rotate(turn(generation, nowMs + generation * 60_000))
    expect(await outcomeOf(store.rotate(turn(0, nowMs + 600_000)))).toBe('reused')
    expect(await store.changePassword(change)).toEqual({ status: 'gone' })
    expect(await store.findAccount(account.username)).toEqual(account)
  })

  it('is left alone when the account is not the one whose password was checked', async () => {
    const nowMs = Date.now()
    const { account, open } = await newUser()
    const { sid } = await open(store, nowMs)
    const change = { account, newHash: 'new', sid, nowMs, actor }
    expect(await store.changePassword({ ...change, account: { ...account, hash: 'old' } })).toEqual({
      status: 'conflict',
    })
    const other = { ...account, userId: await mintUserId(systemRandom, account.username, buckets) }
    expect(await store.changePassword({ ...change, account: other })).toEqual({ status: 'conflict' })
    expect(await store.findAccount(account.username)).toEqual(account)
  })

  it('is left alone while its throttle says to wait, and clears the throttle when it is changed', async () => {
    const nowMs = Date.now()
    const { account, keys, open } = await newUser()
    const { sid } = await open(store, nowMs)
    const throttle = await keys.accountThrottle(account.username)
    for (let i = 0; i < 5; i++) await store.failLogin({ username: account.username, nowMs, actor })
    const change = { account, newHash: 'new', sid, nowMs, actor }
    expect(await store.changePassword(change)).toEqual({ status: 'wait', waitMs: 1000 })
    expect(await store.findAccount(account.username)).toEqual(account)
    expect(await store.changePassword({ ...change, nowMs: nowMs + 1000 })).toEqual({
      status: 'changed',
      ended: [],
    })
    expect(await started.direct.exists(throttle)).toBe(0)
  })

  it('has an account that is found by its user id, and nobody else’s', async () => {
    const { account, keys } = await newUser()
    expect(await store.findUsername(account.userId)).toBe(account.username)
    const late = { ...account, userId: await mintUserId(systemRandom, account.username, buckets) }
    expect(await store.createAccount({ account: late, actor })).toBe('taken')
    expect(await store.findUsername(late.userId)).toBeUndefined()
    expect(await store.createAccount({ account, actor })).toBe('created')
    expect(await started.direct.get(keys.username(account.userId))).toBe(account.username)
  })
})
