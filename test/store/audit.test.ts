import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEvent, AuditQuery } from '../../src/store/audit.ts'
import type { Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { actor } from '../support/actor.ts'
import { startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

describe.each(storeForms)('the audit trail $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets), SESSIONS_PER_USER: '2' })
  })
  afterAll(() => started.stop())

  /** Oldest first. */
  const readAll = async (query: Omit<AuditQuery, 'limit' | 'before'>, limit = 100): Promise<AuditEvent[]> => {
    const events: AuditEvent[] = []
    let before: string | undefined
    do {
      const page = await store.readAudit({ ...query, limit, before })
      expect(page.events.length).toBeLessThanOrEqual(limit)
      events.push(...page.events)
      before = page.next
    } while (before !== undefined)
    return events.toReversed()
  }
  const newUser = async () => {
    const user = await storeUser(store, { buckets })
    const { userId } = user.account
    const trail = async () => (await readAll({ userId })).map(({ event }) => event)
    return { ...user, userId, trail }
  }

  it('tells who did what, to whom, from where and in which call', async () => {
    const nowMs = Date.now()
    const { userId, open } = await newUser()
    const { sid } = await open(store, nowMs)
    await store.endSession({ userId, sid, nowMs, actor: { by: 'operator', from: '', requestId: '' } })
    const events = await readAll({ userId })
    const [from, requestId] = ['203.0.113.0', 'request-1']
    const anyTime = expect.any(Number)
    const told = { atMs: anyTime, by: 'user:tester', from, requestId, outcome: 'done', userId }
    expect(events).toEqual([
      { ...told, event: 'account.created' },
      { ...told, event: 'session.opened', sid, detail: 'app' },
      { atMs: anyTime, event: 'session.ended', by: 'operator', outcome: 'done', userId, sid, detail: 'app' },
    ])
    const times = events.map(({ atMs }) => atMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times[0]).toBeGreaterThan(nowMs - 60_000)
  })

  it('has one event for each change of a user’s sessions, none for what changed nothing', async () => {
    const nowMs = Date.now()
    const { userId, open, trail, account } = await newUser()
    const [first, second, third] = [
      await open(store, nowMs),
      await open(store, nowMs + 1),
      await open(store, nowMs + 2),
    ]
    for (const time of [0, 1]) await open(store, nowMs + 3 + time, third.sid)
    expect(await trail()).toEqual([
      'account.created',
      'session.opened',
      'session.opened',
      'session.superseded',
      'session.opened',
    ])
    expect((await readAll({ userId }))[3]).toMatchObject({ sid: first.sid })
    await store.rotate(second.turn(0, nowMs + 10))
    await store.rotate(second.turn(0, nowMs + 10))
    await store.rotate(second.turn(5, nowMs + 20))
    for (const time of [0, 1]) await store.rotate(second.turn(0, nowMs + 60_000 + time))
    expect((await trail()).slice(5)).toEqual(['refresh.recovered', 'refresh.reused'])
    expect((await readAll({ userId })).at(-1)).toMatchObject({ sid: second.sid, outcome: 'refused', detail: 'app' })
    const denial = { userId, sid: third.sid, clientId: 'app', jti: mintId(systemRandom), nowMs, actor }
    for (const expMs of [nowMs + 60_000, nowMs + 60_000, nowMs - 60_000]) await store.denyToken({ ...denial, expMs })
    expect((await readAll({ userId })).at(-1)).toMatchObject({ event: 'token.denied', detail: denial.jti })
    const accessToken = { jti: mintId(systemRandom), expMs: nowMs + 60_000 }
    for (const _ of [0, 1]) await store.endSession({ userId, sid: third.sid, accessToken, nowMs, actor })
    expect((await trail()).slice(7)).toEqual(['token.denied', 'token.denied', 'session.ended'])
    const fourth = await open(store, nowMs)
    for (const _ of [0, 1]) await store.endAll({ userId, nowMs, actor })
    expect((await trail()).slice(10)).toEqual(['session.opened', 'session.ended'])
    const fifth = await open(store, nowMs)
    const change = { account, newHash: 'new', sid: fifth.sid, nowMs, actor }
    for (const _ of [0, 1]) await store.changePassword(change)
    expect((await readAll({ userId })).slice(12)).toMatchObject([
      { event: 'session.opened', sid: fifth.sid },
      { event: 'password.changed', sid: fifth.sid },
    ])
    expect(fourth.sid).not.toBe(fifth.sid)
  })

  it('has one event for each change of an account', async () => {
    const nowMs = Date.now()
    const { userId, open, trail, account, keys } = await newUser()
    const { sid } = await open(store, nowMs)
    const change = { account, nowMs, actor }
    for (const _ of [0, 1]) await store.changeAccount({ ...change, roles: 'teller auditor' })
    for (const _ of [0, 1]) await store.changeAccount({ ...change, status: 'disabled' })
    for (const _ of [0, 1]) await store.changeAccount({ ...change, status: 'active' })
    await started.direct.set(await keys.accountThrottle(account.username), '99 0', 'PX', 60_000)
    await store.failLogin({ username: account.username, nowMs, actor })
    for (const _ of [0, 1]) await store.deleteAccount(change)
    expect(await trail()).toEqual([
      'account.created',
      'session.opened',
      'account.roles_set',
      'account.disabled',
      'session.ended',
      'account.enabled',
      'account.locked',
      'account.deleted',
    ])
    const events = await readAll({ userId })
    expect(events[2]).toMatchObject({ detail: 'teller auditor' })
    expect(events[4]).toMatchObject({ sid })
  })

  it('tells of signing keys and of the end of everybody’s sessions once, about nobody', async () => {
    const nowMs = Date.now()
    await started.direct.del('keyring:{0}')
    const replacement = { read: '', next: 'ring 1', added: 'kid-1', actor }
    for (const _ of [0, 1]) await store.replaceKeyRing(replacement)
    const withdrawn = { kid: 'kid-1', nowMs }
    for (const _ of [0, 1]) await store.replaceKeyRing({ read: 'ring 1', next: 'ring 2', withdrawn, actor })
    for (const _ of [0, 1]) await store.endEveryone({ epoch: 'epoch-01', nowMs, actor })
    const told = (await readAll({})).filter(({ userId }) => userId === undefined)
    expect(told).toMatchObject([
      { event: 'key.added', detail: 'kid-1' },
      { event: 'key.withdrawn', detail: 'kid-1' },
      { event: 'everyone.ended', detail: 'epoch-01' },
    ])
  })

  it('is read newest first over all buckets, each event once, in pages of any size', async () => {
    await started.direct.flushall()
    for (let i = 0; i < 30; i++) {
      const { open } = await storeUser(store, { buckets })
      await open(store, Date.now())
    }
    const all = await readAll({}, 100)
    expect(all).toHaveLength(60)
    expect(new Set(all.map(({ event, userId }) => `${event} ${userId}`)).size).toBe(60)
    const times = all.map(({ atMs }) => atMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    for (const limit of [1, 7]) expect(await readAll({}, limit)).toEqual(all)
    const newest = await store.readAudit({ limit: 100, before: 'no cursor' })
    expect(newest).toEqual(await store.readAudit({ limit: 100 }))
  })

  it('looks through so many events in a call and no more, and goes on from there', async () => {
    await started.direct.flushall()
    const { userId, account, keys } = await newUser()
    const other = { by: 'user:other', from: '', request: '', outcome: 'done', detail: '' }
    const fill = started.direct.pipeline()
    for (let i = 0; i < 9000; i++)
      fill.xadd(
        keys.trail(userId),
        '*',
        ...Object.entries({ event: 'session.opened', user: 'another', sid: 's', ...other }).flat(),
      )
    await fill.exec()
    await store.changeAccount({ account, roles: 'teller', nowMs: Date.now(), actor })
    const pages = []
    let before: string | undefined
    do {
      started.storeRequests.length = 0
      const page = await store.readAudit({ userId, limit: 10, before })
      expect(started.storeRequests).toHaveLength(1)
      pages.push(page.events.map(({ event }) => event))
      before = page.next
    } while (before !== undefined)
    expect(pages).toEqual([['account.roles_set'], [], ['account.created']])
  })

  it('is capped, and never expires', async () => {
    await started.direct.flushall()
    const small = started.connect({ STORE_BUCKETS: String(buckets), AUDIT_EVENTS: '1000' })
    const { account, keys } = await newUser()
    const trail = keys.trail(account.userId)
    for (let i = 0; i < 1500; i++)
      await small.changeAccount({ account, roles: i % 2 ? 'one' : 'two', nowMs: Date.now(), actor })
    const length = await started.direct.xlen(trail)
    expect(length).toBeGreaterThanOrEqual(1000)
    // Redis drops whole nodes, of 100 entries.
    expect(length).toBeLessThan(1200)
    expect(await started.direct.pttl(trail)).toBe(-1)
    const bytes = Number(await started.direct.call('MEMORY', 'USAGE', trail)) / length
    console.log(`an event takes ${Math.round(bytes)} bytes`)
    expect(bytes).toBeLessThan(130)
  })

  it('holds no secret', async () => {
    await started.direct.flushall()
    const nowMs = Date.now()
    const { userId, account, open } = await newUser()
    const { sid, turn } = await open(store, nowMs)
    await store.changePassword({ account, newHash: 'the-new-hash', sid, nowMs, actor })
    const held = turn(0, nowMs)
    for (const one of [held, turn(1, nowMs), turn(0, nowMs + 60_000)]) await store.rotate(one)
    expect((await readAll({ userId })).at(-1)).toMatchObject({ event: 'refresh.reused' })
    const text = JSON.stringify(await readAll({ userId }))
    for (const secret of [account.hash, 'the-new-hash', held.familyDigest, held.attemptDigest, account.username])
      expect(text).not.toContain(secret)
  })
})
