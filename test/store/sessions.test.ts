import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintUserId } from '../../src/store/keys.ts'
import type { Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

const T0 = 1_800_000_000_000
const DAY_MS = 24 * 3_600_000

describe.each(storeForms)('$name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  const connect = (changes?: Record<string, string>) => started.connect({ STORE_BUCKETS: String(buckets), ...changes })
  const newUser = (at: Store) => storeUser(at, { buckets })

  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = connect()
  })
  afterAll(() => started.stop())

  describe('a user’s sessions', () => {
    it('are one by default: of 50 racing logins one lives', async () => {
      const user = await newUser(store)
      const sessions = await Promise.all(Array.from({ length: 50 }, (_, i) => user.open(store, T0 + i)))
      const outcomes = await Promise.all(sessions.map((session) => outcomeOf(store.rotate(session.turn(0, T0 + 60)))))
      expect(outcomes.toSorted()).toEqual(['rotated', ...Array.from({ length: 49 }, () => 'superseded')])
      expect(sessions.flatMap(({ superseded }) => superseded)).toHaveLength(49)
    })

    it('are at most as many as allowed: a newer login ends the least recently used', async () => {
      const three = connect({ SESSIONS_PER_USER: '3' })
      const user = await newUser(three)
      const a = await user.open(three, T0)
      const b = await user.open(three, T0 + 1)
      const c = await user.open(three, T0 + 2)
      await three.rotate(a.turn(0, T0 + 3))
      const d = await user.open(three, T0 + 4)
      expect(d.superseded).toEqual([b.sid])
      expect(await outcomeOf(three.rotate(b.turn(0, T0 + 5)))).toBe('superseded')
      for (const alive of [a.turn(1, T0 + 5), c.turn(0, T0 + 5), d.turn(0, T0 + 5)])
        expect(await outcomeOf(three.rotate(alive))).toBe('rotated')
    })

    it('that were logged out are unknown, not superseded, while there is room for more', async () => {
      const three = connect({ SESSIONS_PER_USER: '3' })
      const user = await newUser(three)
      const left = await user.open(three, T0)
      await user.open(three, T0)
      await three.endSession({ userId: user.account.userId, sid: left.sid, nowMs: T0, actor })
      expect(await outcomeOf(three.rotate(left.turn(0, T0)))).toBe('unknown')
    })

    it('that have expired make room without counting as superseded', async () => {
      const user = await newUser(store)
      await user.open(store, T0)
      expect((await user.open(store, T0 + 8 * DAY_MS)).superseded).toEqual([])
    })

    it('are not opened when the account changed between the check of the password and now', async () => {
      const user = await newUser(store)
      const opening = {
        clientId: 'app',
        sid: 's'.repeat(22),
        familyDigest: 'd'.repeat(22),
        device: '',
        nowMs: T0,
        actor,
      }
      const changed = { ...user.account, hash: 'another hash' }
      expect(await store.openSession({ ...opening, account: changed })).toEqual({ status: 'changed' })

      const key = await user.keys.account(user.account.username)
      const disabled = (await started.direct.get(key))?.replace('"active"', '"disabled"') ?? ''
      await started.direct.set(key, disabled)
      expect(await store.openSession({ ...opening, account: user.account })).toEqual({ status: 'changed' })
      await started.direct.set(key, '7')
      expect(await store.openSession({ ...opening, account: user.account })).toEqual({ status: 'changed' })
    })

    it('end only for who holds the family or a token that vouches for them', async () => {
      const user = await newUser(store)
      const session = await user.open(store, T0)
      const ending = { userId: user.account.userId, sid: session.sid, nowMs: T0, actor }
      expect(await store.endSession({ ...ending, familyDigest: 'x'.repeat(22) })).toBe('gone')
      expect(await outcomeOf(store.rotate(session.turn(0, T0)))).toBe('rotated')
      expect(await store.endSession({ ...ending, familyDigest: session.turn(0, T0).familyDigest })).toBe('ended')
      expect(await outcomeOf(store.rotate(session.turn(1, T0)))).toBe('unknown')
    })
  })

  describe('a live check', () => {
    it.each(['nearest', 'primary'])('that reads the %s says yes only to a session that is there', async (reads) => {
      const reader = connect({ CHECK_READS: reads })
      const user = await newUser(store)
      const { sid } = await user.open(store, T0)
      const token = { userId: user.account.userId, sid, jti: 'jti-of-the-token-00000', nowMs: T0 }
      expect(await reader.check(token)).toEqual({
        status: 'live',
        session: { clientId: 'app', roles: 'customer', amr: '', authAtMs: T0 },
      })
      expect(await reader.check({ ...token, sid: 'another' })).toEqual({ status: 'ended' })
      expect(await reader.check({ ...token, userId: 'nobody' })).toEqual({ status: 'ended' })
      expect(await reader.check({ ...token, nowMs: T0 + 7 * DAY_MS })).toEqual({ status: 'ended' })
    })

    it('says no to a token that was denied on its own while its session lives', async () => {
      const user = await newUser(store)
      const { sid } = await user.open(store, T0)
      const { userId } = user.account
      const accessToken = { jti: 'denied-jti-00000000000', expMs: T0 + 300_000 }
      await store.endSession({ userId, sid: 'of-no-session', accessToken, nowMs: T0, actor })
      expect(await store.check({ userId, sid, jti: accessToken.jti, nowMs: T0 })).toEqual({ status: 'denied' })
      expect(await store.check({ userId, sid, jti: 'another', nowMs: T0 })).toMatchObject({ status: 'live' })
    })
  })

  describe('the revocation feed', () => {
    it('is told of every end of a session and of every denied token', async () => {
      const user = await newUser(store)
      const { userId } = user.account
      await started.direct.del(user.keys.feed(userId))
      const superseded = await user.open(store, T0)
      const reused = await user.open(store, T0)
      await store.rotate(reused.turn(0, T0))
      await store.rotate(reused.turn(1, T0))
      await store.rotate(reused.turn(0, T0))
      const left = await user.open(store, T0)
      const accessToken = { jti: 'jti-in-the-feed-000000', expMs: T0 + 120_000 }
      await store.endSession({ userId, sid: left.sid, accessToken, nowMs: T0, actor })

      const entries = await started.direct.xrange(user.keys.feed(userId), '-', '+')
      const exp = String(T0 + 360_000)
      expect(entries.map(([, fields]) => fields)).toEqual([
        ['kind', 'sid', 'id', superseded.sid, 'exp', exp],
        ['kind', 'sid', 'id', reused.sid, 'exp', exp],
        ['kind', 'jti', 'id', accessToken.jti, 'exp', String(accessToken.expMs + 60_000)],
        ['kind', 'sid', 'id', left.sid, 'exp', exp],
      ])
    })
  })

  describe('the key ring', () => {
    it('is replaced only by who has read what is stored', async () => {
      await started.direct.del('keyring:{0}')
      expect(await store.readKeyRing()).toBe('')
      const kept = await Promise.all(
        Array.from({ length: 50 }, (_, i) => store.replaceKeyRing({ read: '', next: `ring ${i}`, actor })),
      )
      expect(new Set(kept).size).toBe(1)
      expect(await store.replaceKeyRing({ read: 'something else', next: 'ring x', actor })).toBe(kept[0])
      expect(await store.replaceKeyRing({ read: kept[0] ?? '', next: 'ring y', actor })).toBe('ring y')
      expect(await store.readKeyRing()).toBe('ring y')
    })
  })

  describe('an account', () => {
    it('is found by its username alone, and a taken username stays as it is', async () => {
      const { account } = await newUser(store)
      expect(await store.findAccount(account.username)).toEqual(account)
      expect(await store.findAccount('nobody')).toBeUndefined()
      const userId = await mintUserId(systemRandom, account.username, buckets)
      expect(await store.createAccount({ account: { ...account, userId }, actor })).toBe('taken')
      expect(await store.findAccount(account.username)).toEqual(account)
    })
  })
})
