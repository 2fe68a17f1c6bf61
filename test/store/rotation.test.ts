import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeForms, storeUser, type StoredUser, type TestStore } from '../support/store.ts'

const T0 = 1_800_000_000_000
const HOUR = 3_600_000
const DAY = 24 * HOUR

describe.each(storeForms)('the rotation table $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  let user: StoredUser

  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets) })
  })
  afterAll(() => started.stop())

  const newUser = () => storeUser(store, { buckets })

  it('rotates the current generation', async () => {
    user = await newUser()
    const session = await user.open(store, T0)
    const result = await store.rotate(session.turn(0, T0 + 1000))
    expect(result).toEqual({
      ok: true,
      value: {
        how: 'rotated',
        grant: { clientId: 'app', roles: 'customer', amr: '', authAtMs: T0, lastsUntilMs: T0 + 1000 + 7 * DAY },
      },
    })
    expect(await outcomeOf(store.rotate(session.turn(1, T0 + 2000)))).toBe('rotated')
  })

  it('replays the previous generation within the window, on either side of the clock', async () => {
    const session = await (await newUser()).open(store, T0)
    await store.rotate(session.turn(0, T0))
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + 10_000)))).toBe('replayed')
    expect(await outcomeOf(store.rotate(session.turn(0, T0 - 10_000)))).toBe('replayed')
    expect(await outcomeOf(store.rotate(session.turn(1, T0 + 10_001)))).toBe('rotated')
  })

  it('does not stretch the replay window by replaying', async () => {
    const session = await (await newUser()).open(store, T0)
    await store.rotate(session.turn(0, T0))
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + 9000)))).toBe('replayed')
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + 11_000)))).toBe('reused')
  })

  it('replays the previous generation at any later time for the attempt that rotated it', async () => {
    const session = await (await newUser()).open(store, T0)
    await store.rotate(session.turn(0, T0, 'attempt-a'))
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + DAY, 'attempt-a')))).toBe('replayed')
    expect(await outcomeOf(store.rotate(session.turn(1, T0 + DAY, 'attempt-b')))).toBe('rotated')
  })

  it('no longer replays for an attempt once its successor was used', async () => {
    const session = await (await newUser()).open(store, T0)
    await store.rotate(session.turn(0, T0, 'attempt-a'))
    await store.rotate(session.turn(1, T0 + HOUR, 'attempt-b'))
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + HOUR, 'attempt-a')))).toBe('reused')
  })

  it('ends the session when a rotated token returns after the window', async () => {
    const owner = await newUser()
    const session = await owner.open(store, T0)
    await store.rotate(session.turn(0, T0, 'attempt-a'))
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + 10_001, 'attempt-z')))).toBe('reused')
    expect(await outcomeOf(store.rotate(session.turn(1, T0 + 10_002)))).toBe('reused')
    const token = { userId: owner.account.userId, sid: session.sid, jti: 'j', nowMs: T0 + 10_002 }
    expect(await store.check(token)).toEqual({ status: 'ended' })
  })

  it('ends the session when a token two generations old returns within the window', async () => {
    const owner = await newUser()
    const session = await owner.open(store, T0)
    await store.rotate(session.turn(0, T0))
    await store.rotate(session.turn(1, T0))
    expect(await outcomeOf(store.rotate(session.turn(0, T0)))).toBe('reused')
    expect(await outcomeOf(store.rotate(session.turn(2, T0)))).toBe('reused')
    // The mark that it leaves is no session: another login supersedes nothing.
    expect((await owner.open(store, T0)).superseded).toEqual([])
  })

  it('recovers when the store lost an acknowledged write', async () => {
    const owner = await newUser()
    const session = await owner.open(store, T0)
    const key = owner.keys.session(owner.account.userId)
    await store.rotate(session.turn(0, T0))
    const older = await started.direct.get(key)
    await store.rotate(session.turn(1, T0 + HOUR))
    await started.direct.set(key, older ?? '', 'PX', DAY)

    expect(await outcomeOf(store.rotate(session.turn(2, T0 + 2 * HOUR)))).toBe('recovered')
    expect(await outcomeOf(store.rotate(session.turn(3, T0 + 3 * HOUR)))).toBe('rotated')
  })

  it('tells a session that a newer login ended that it was superseded', async () => {
    const owner = await newUser()
    const session = await owner.open(store, T0)
    const newer = await owner.open(store, T0 + 1)
    expect(newer.superseded).toEqual([session.sid])
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + 2)))).toBe('superseded')
    expect(await outcomeOf(store.rotate(newer.turn(0, T0 + 2)))).toBe('rotated')
  })

  it('knows nothing of a session that has no record', async () => {
    const owner = await newUser()
    const session = await owner.open(store, T0)
    await started.direct.del(owner.keys.session(owner.account.userId))
    expect(await outcomeOf(store.rotate(session.turn(0, T0)))).toBe('unknown')
  })

  it('denies when the record cannot be read', async () => {
    const owner = await newUser()
    const session = await owner.open(store, T0)
    for (const broken of ['', '{', '[]', '7', '{"sessions":7}', 'null']) {
      await started.direct.set(owner.keys.session(owner.account.userId), broken, 'PX', DAY)
      expect(await outcomeOf(store.rotate(session.turn(0, T0)))).toBe('unknown')
      const token = { userId: owner.account.userId, sid: session.sid, jti: 'j', nowMs: T0 }
      expect(await store.check(token)).toEqual({ status: 'ended' })
    }
  })

  it('knows nothing of a token with another family secret, and leaves the session alone', async () => {
    const session = await (await newUser()).open(store, T0)
    const forged = { ...session.turn(0, T0), familyDigest: 'x'.repeat(22) }
    expect(await outcomeOf(store.rotate(forged))).toBe('unknown')
    expect(await outcomeOf(store.rotate(session.turn(0, T0)))).toBe('rotated')
  })

  it('refuses a client that is not the session’s own, and leaves the session alone', async () => {
    const session = await (await newUser()).open(store, T0)
    for (const clientIds of [[], ['tablet'], ['ap', 'app2'], ['pp']])
      expect(await outcomeOf(store.rotate({ ...session.turn(0, T0), clientIds }))).toBe('foreign')
    expect(await outcomeOf(store.rotate({ ...session.turn(0, T0), clientIds: ['tablet', 'app'] }))).toBe('rotated')
  })

  it('expires a session that was idle for too long, and not one that was refreshed in time', async () => {
    const session = await (await newUser()).open(store, T0)
    expect(await outcomeOf(store.rotate(session.turn(0, T0 + 7 * DAY - 1000)))).toBe('rotated')
    expect(await outcomeOf(store.rotate(session.turn(1, T0 + 14 * DAY - 2000)))).toBe('rotated')
    expect(await outcomeOf(store.rotate(session.turn(2, T0 + 21 * DAY)))).toBe('expired')
  })

  it('expires a session at its absolute end, however often it was refreshed', async () => {
    const session = await (await newUser()).open(store, T0)
    for (let day = 1; day <= 29; day++) {
      const lastsUntilMs = T0 + Math.min(day + 7, 30) * DAY
      const turn = await store.rotate(session.turn(day - 1, T0 + day * DAY))
      expect(turn).toMatchObject({ ok: true, value: { how: 'rotated', grant: { lastsUntilMs } } })
    }
    // With less than a second left there is nothing to hand out.
    expect(await outcomeOf(store.rotate(session.turn(29, T0 + 30 * DAY - 999)))).toBe('expired')
    expect(await outcomeOf(store.rotate(session.turn(29, T0 + 30 * DAY)))).toBe('expired')
  })

  it('gives 100 racing refreshes of one token one successor', async () => {
    const session = await (await newUser()).open(store, T0)
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, () => outcomeOf(store.rotate(session.turn(0, T0 + 1)))),
    )
    expect(outcomes.filter((how) => how === 'rotated')).toHaveLength(1)
    expect(outcomes.filter((how) => how === 'replayed')).toHaveLength(99)
    expect(await outcomeOf(store.rotate(session.turn(1, T0 + 2)))).toBe('rotated')
  })

  it('answers a repeated call with the same outcome', async () => {
    const owner = await newUser()
    const sid = 'repeated-sid-000000000'
    await owner.open(store, T0)
    const opening = {
      account: owner.account,
      clientId: 'app',
      sid,
      familyDigest: 'd'.repeat(22),
      device: '',
      nowMs: T0 + 1,
      actor,
    }
    const first = await store.openSession(opening)
    expect(await store.openSession(opening)).toEqual({ ...first, superseded: [] })
    expect(await store.createAccount({ account: owner.account, actor })).toBe('created')
    expect(await store.endSession({ userId: owner.account.userId, sid, nowMs: T0 + 2, actor })).toBe('ended')
    expect(await store.endSession({ userId: owner.account.userId, sid, nowMs: T0 + 2, actor })).toBe('gone')
  })
})
