import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintUserId } from '../../src/store/keys.ts'
import { FEED_START, type Account, type Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

describe.each(storeForms)('administration $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets), SESSIONS_PER_USER: '3' })
  })
  afterAll(() => started.stop())

  const told = async (ids: readonly string[]) => {
    const pages = await store.readFeed(Array.from({ length: buckets }, () => FEED_START))
    const entries = pages.flatMap((page) => page.entries).filter(({ id }) => ids.includes(id))
    return entries.map(({ kind, id }) => ({ kind, id }))
  }

  describe('the list of accounts', () => {
    const create = async (username: string) => {
      const userId = await mintUserId(systemRandom, username, buckets)
      const account: Account = { userId, username, hash: 'h', status: 'active', roles: '', createdAtMs: 1 }
      await store.createAccount({ account, actor })
      return account
    }
    const listAll = async (query: { prefix?: string; limit: number }) => {
      const pages: string[][] = []
      let after: string | undefined
      do {
        const page = await store.listAccounts({ ...query, after })
        pages.push(page.accounts.map(({ username }) => username))
        after = page.next
      } while (after !== undefined)
      return pages
    }

    it('is alphabetical over all buckets, page by page, each account once', async () => {
      await started.direct.flushall()
      const names = Array.from({ length: 50 }, (_, i) => `name-${String(i).padStart(2, '0')}`)
      for (const name of names.toReversed()) await create(name)
      expect((await listAll({ limit: 50 })).flat()).toEqual(names)
      const pages = await listAll({ limit: 7 })
      expect(pages.flat()).toEqual(names)
      expect(pages.map(({ length }) => length)).toEqual([7, 7, 7, 7, 7, 7, 7, 1])
    })

    it('has whole accounts, those whose names begin as asked, in any script', async () => {
      await started.direct.flushall()
      const made = new Map<string, Account>()
      // U+FF61 stands before U+10400 in the order of characters, and behind it in that of UTF-16.
      for (const name of ['ann', 'anna', 'anné', 'ansel', 'an｡', 'an𐐀', 'bob', 'a']) made.set(name, await create(name))
      expect(await listAll({ prefix: 'ann', limit: 2 })).toEqual([['ann', 'anna'], ['anné']])
      expect(await listAll({ prefix: 'an', limit: 3 })).toEqual([
        ['ann', 'anna', 'anné'],
        ['ansel', 'an｡', 'an𐐀'],
      ])
      expect(await listAll({ prefix: 'c', limit: 3 })).toEqual([[]])
      expect(await store.listAccounts({ prefix: 'b', limit: 1 })).toEqual({ accounts: [made.get('bob')] })
      expect((await store.listAccounts({ prefix: 'b', after: 'a', limit: 1 })).accounts).toHaveLength(1)
      expect((await store.listAccounts({ prefix: 'a', after: 'b', limit: 1 })).accounts).toEqual([])
    })

    it('costs two trips, and leaves out an account that cannot be read', async () => {
      await started.direct.flushall()
      const [kept, broken] = [await create('kept'), await create('broken')]
      const { keys } = await storeUser(store, { buckets })
      await started.direct.set(await keys.account(broken.username), 'not an account')
      started.storeRequests.length = 0
      expect((await store.listAccounts({ prefix: '', limit: 2 })).accounts).toEqual([kept])
      expect(started.storeRequests).toHaveLength(2)
    })
  })

  describe('deletion', () => {
    it('takes the account, its name, its throttle and its sessions, and verifiers hear of it', async () => {
      const nowMs = Date.now()
      const { account, keys, open } = await storeUser(store, { buckets })
      const { userId, username } = account
      const [one, two] = [await open(store, nowMs), await open(store, nowMs)]
      await store.failLogin({ username, nowMs, actor })
      const deleted = await store.deleteAccount({ account, nowMs, actor })
      expect(deleted?.ended.toSorted()).toEqual([one.sid, two.sid].toSorted())
      expect(await told([one.sid, two.sid])).toHaveLength(2)
      expect(await outcomeOf(store.rotate(one.turn(0, nowMs)))).toBe('unknown')
      expect(await store.findAccount(username)).toBeUndefined()
      expect(await store.findUsername(userId)).toBeUndefined()
      expect((await store.listAccounts({ prefix: username, limit: 1 })).accounts).toEqual([])
      const gone = [keys.session(userId), await keys.accountThrottle(username)]
      for (const key of gone) expect(await started.direct.exists(key)).toBe(0)
      await expect(open(store, nowMs)).rejects.toThrow('not opened')
      expect(await store.createAccount({ account, actor })).toBe('created')
    })

    it('happens once, and leaves an account alone that has the name by now', async () => {
      const nowMs = Date.now()
      const { account } = await storeUser(store, { buckets })
      const other = { ...account, userId: await mintUserId(systemRandom, account.username, buckets) }
      expect(await store.deleteAccount({ account: other, nowMs, actor })).toBeUndefined()
      expect(await store.findAccount(account.username)).toEqual(account)
      expect(await store.deleteAccount({ account, nowMs, actor })).toEqual({ ended: [] })
      expect(await store.deleteAccount({ account, nowMs, actor })).toBeUndefined()
    })
  })

  it('ends all sessions of one user, once, and nobody else’s', async () => {
    const nowMs = Date.now()
    const { account, open } = await storeUser(store, { buckets })
    const other = await storeUser(store, { buckets })
    const [one, two] = [await open(store, nowMs), await open(store, nowMs)]
    const spared = await other.open(store, nowMs)
    const { userId } = account
    expect((await store.endAll({ userId, nowMs, actor })).toSorted()).toEqual([one.sid, two.sid].toSorted())
    expect(await store.endAll({ userId, nowMs, actor })).toEqual([])
    expect(await told([one.sid, two.sid])).toHaveLength(2)
    expect(await store.listSessions({ userId, nowMs })).toEqual([])
    expect(await outcomeOf(store.rotate(spared.turn(0, nowMs)))).toBe('rotated')
  })

  it('denies a token whatever its session, once', async () => {
    const nowMs = Date.now()
    const { account, open, keys } = await storeUser(store, { buckets })
    const { userId } = account
    const { sid } = await open(store, nowMs)
    const denial = { userId, jti: mintId(systemRandom), expMs: nowMs + 60_000, nowMs, actor }
    expect(await store.denyJti(denial)).toBe('denied')
    expect(await store.denyJti(denial)).toBe('gone')
    expect(await store.denyJti({ ...denial, jti: mintId(systemRandom), expMs: nowMs - 60_000 })).toBe('gone')
    expect(await store.check({ userId, sid, jti: denial.jti, nowMs })).toEqual({ status: 'denied' })
    expect(await store.check({ userId, sid, jti: 'another', nowMs })).toMatchObject({ status: 'live' })
    expect(await told([denial.jti])).toEqual([{ kind: 'jti', id: denial.jti }])
    expect(await started.direct.pttl(keys.denial(userId, denial.jti))).toBeGreaterThan(0)
  })
})
