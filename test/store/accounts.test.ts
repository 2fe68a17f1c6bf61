import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeyNames, mintUserId } from '../../src/store/keys.ts'
import { FEED_START, type Account, type Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

describe.each(storeForms)('an account that an administrator changes $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets), SESSIONS_PER_USER: '2' })
  })
  afterAll(() => started.stop())

  const told = async (sids: readonly string[]) => {
    const pages = await store.readFeed(Array.from({ length: buckets }, () => FEED_START))
    return pages.flatMap(({ entries }) => entries).filter(({ id }) => sids.includes(id))
  }

  it('loses all sessions when it is disabled, and signs in again when it is enabled', async () => {
    const nowMs = Date.now()
    const { account, open } = await storeUser(store, { buckets })
    const [one, two] = [await open(store, nowMs), await open(store, nowMs)]
    const disabled = await store.changeAccount({ account, status: 'disabled', nowMs, actor })
    expect(disabled?.account.status).toBe('disabled')
    expect(disabled?.ended.toSorted()).toEqual([one.sid, two.sid].toSorted())
    for (const { sid, turn } of [one, two]) {
      expect(await store.check({ userId: account.userId, sid, jti: 'j', nowMs })).toEqual({ status: 'ended' })
      expect(await outcomeOf(store.rotate(turn(0, nowMs)))).toBe('unknown')
    }
    expect(await told([one.sid, two.sid])).toHaveLength(2)
    expect((await store.changeAccount({ account, status: 'disabled', nowMs, actor }))?.ended).toEqual([])
    await expect(open(store, nowMs)).rejects.toThrow('not opened')
    await store.changeAccount({ account, status: 'active', nowMs, actor })
    await open(store, nowMs)
  })

  it('has its sessions carry new roles at once, and verifiers refuse the tokens with the old ones', async () => {
    const nowMs = Date.now()
    const { account, keys, open } = await storeUser(store, { buckets })
    const { sid, turn } = await open(store, nowMs)
    const changed = await store.changeAccount({ account, roles: 'teller auditor', nowMs: nowMs + 1, actor })
    expect(changed).toMatchObject({ account: { roles: 'teller auditor', status: 'active' }, ended: [] })
    expect(await store.check({ userId: account.userId, sid, jti: 'j', nowMs })).toMatchObject({
      session: { roles: 'teller auditor' },
    })
    const turned = await store.rotate(turn(0, nowMs + 2))
    expect(turned.ok && turned.value.grant.roles).toBe('teller auditor')
    expect(await told([sid])).toMatchObject([{ kind: 'sid', id: sid, beforeMs: nowMs + 1 }])
    await store.changeAccount({ account, roles: 'teller auditor', nowMs: nowMs + 3, actor })
    expect(await told([sid])).toHaveLength(1)
    await store.changeAccount({ account, roles: '', nowMs: nowMs + 4, actor })
    expect((await store.findAccount(account.username))?.roles).toBe('')
    expect(await started.direct.pttl(keys.session(account.userId))).toBeGreaterThan(0)
  })

  it('is unlocked, and its wrong passwords are forgotten', async () => {
    const nowMs = Date.now()
    const { account, keys } = await storeUser(store, { buckets })
    const { username } = account
    const throttle = await keys.accountThrottle(username)
    await started.direct.set(throttle, '99 0', 'PX', 60_000)
    await store.failLogin({ username, nowMs, actor })
    expect((await store.findAccount(username))?.status).toBe('locked')
    expect(await store.changeAccount({ account, status: 'active', nowMs, actor })).toMatchObject({
      account: { status: 'active' },
    })
    expect(await started.direct.exists(throttle)).toBe(0)
  })

  it('is not touched if the name has another account by now', async () => {
    const { account } = await storeUser(store, { buckets })
    const other = { ...account, userId: await mintUserId(systemRandom, account.username, buckets) }
    expect(await store.changeAccount({ account: other, status: 'disabled', nowMs: Date.now(), actor })).toBeUndefined()
    expect((await store.findAccount(account.username))?.status).toBe('active')
  })
})

describe.each(storeForms)('many accounts at once $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets) })
  })
  afterAll(() => started.stop())

  const account = async (username: string, hash: string): Promise<Account> => ({
    userId: await mintUserId(systemRandom, username, buckets),
    username,
    hash,
    status: 'active',
    roles: '',
    createdAtMs: 1_700_000_000_000,
  })

  it('are made in one trip, in their order, and each is told what became of it', async () => {
    const [one, two, sameName, sameHash] = await Promise.all([
      account('one', 'a'),
      account('two', 'b'),
      account('one', 'c'),
      account('two', 'b'),
    ])
    started.storeRequests.splice(0)
    expect(await store.createAccounts({ accounts: [one, two, sameName, sameHash], actor })).toEqual([
      'created',
      'created',
      'taken',
      'present',
    ])
    expect(started.storeRequests).toHaveLength(1)
    expect([await store.findAccount('one'), await store.findAccount('two')]).toEqual([one, two])
    for (const { userId, username } of [one, two]) expect(await store.findUsername(userId)).toBe(username)
    for (const { userId } of [sameName, sameHash]) expect(await store.findUsername(userId)).toBeUndefined()
    const { events } = await store.readAudit({ limit: 10 })
    const imported = events.filter(({ event }) => event === 'accounts.imported')
    expect(imported.map(({ by, detail }) => [by, Number(detail)])).toEqual(
      imported.map(() => [actor.by, expect.any(Number)]),
    )
    expect(imported.reduce((sum, { detail }) => sum + Number(detail), 0)).toBe(2)
  })

  it('are created again by their ids, and keep what has become of them meanwhile', async () => {
    const both = [await account('three', 'a'), await account('four', 'a')] as const
    expect(await store.createAccounts({ accounts: both, actor })).toEqual(['created', 'created'])
    await store.changeAccount({ account: both[0], status: 'disabled', roles: 'teller', nowMs: 1, actor })
    expect(await store.createAccounts({ accounts: both, actor })).toEqual(['created', 'created'])
    expect(await store.findAccount('three')).toEqual({ ...both[0], status: 'disabled', roles: 'teller' })
    expect(await store.createAccounts({ accounts: [], actor })).toEqual([])
  })

  it('are taken by a value that cannot be read', async () => {
    const unreadable = await account('five', 'a')
    await started.direct.set(await createKeyNames(buckets).account('five'), 'not JSON')
    expect(await store.createAccounts({ accounts: [unreadable], actor })).toEqual(['taken'])
    expect(await store.createAccount({ account: unreadable, actor })).toBe('taken')
  })
})
