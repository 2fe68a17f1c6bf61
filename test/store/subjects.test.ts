import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SubjectOpening } from '../../src/store/administration.ts'
import { createKeyNames } from '../../src/store/keys.ts'
import { FEED_START, type Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

describe.each(storeForms)('a session for another login system $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets) })
  })
  afterAll(() => started.stop())

  const newOpening = (changes: Partial<SubjectOpening> = {}): SubjectOpening => ({
    userId: mintId(systemRandom),
    subject: 'shop:customer 17',
    roles: 'customer',
    amr: 'pwd otp',
    clientId: 'app',
    sid: mintId(systemRandom),
    familyDigest: mintId(systemRandom),
    device: 'Firefox on Linux',
    // Times of a sign-in are kept in seconds.
    nowMs: Math.floor(Date.now() / 1000) * 1000,
    actor,
    ...changes,
  })
  const turnOf = ({ userId, sid, familyDigest, nowMs }: SubjectOpening, generation: number) => {
    const attemptDigest = mintId(systemRandom)
    return { userId, sid, familyDigest, generation, attemptDigest, clientIds: ['app'], nowMs, actor }
  }

  it('carries the subject, its roles and how it was authenticated, from the opening on', async () => {
    const opening = newOpening()
    const { userId, sid, nowMs, subject, roles, amr } = opening
    const opened = await store.openSubjectSession(opening)
    const carried = { clientId: 'app', subject, roles, amr, authAtMs: nowMs }
    expect(opened).toMatchObject({ status: 'opened', grant: carried, superseded: [] })
    const turned = await store.rotate(turnOf(opening, 0))
    expect(turned).toEqual({ ok: true, value: { how: 'rotated', grant: opened.grant } })
    expect(await store.check({ userId, sid, jti: 'j', nowMs })).toEqual({ status: 'live', session: carried })
    expect(await store.listSessions({ userId, nowMs })).toMatchObject([{ sid, subject, amr, clientId: 'app' }])
  })

  it('is ended by the next one of the same subject, and opened once for the same sid', async () => {
    const first = newOpening()
    await store.openSubjectSession(first)
    const second = newOpening({ userId: first.userId })
    expect((await store.openSubjectSession(second)).superseded).toEqual([first.sid])
    expect((await store.openSubjectSession(second)).superseded).toEqual([])
    expect(await outcomeOf(store.rotate(turnOf(first, 0)))).toBe('superseded')
    expect(await outcomeOf(store.rotate(turnOf(second, 0)))).toBe('rotated')
    const { events } = await store.readAudit({ userId: first.userId, limit: 10 })
    expect(events.map(({ event }) => event)).toEqual(['session.opened', 'session.superseded', 'session.opened'])
  })

  it('gives the subject’s other sessions its roles, and verifiers refuse the tokens with the old ones', async () => {
    const wide = started.connect({ STORE_BUCKETS: String(buckets), SESSIONS_PER_USER: '2' })
    const first = newOpening()
    const { userId, sid, nowMs } = first
    await wide.openSubjectSession(first)
    await wide.openSubjectSession(newOpening({ userId, roles: 'customer vip', amr: 'hwk', nowMs: nowMs + 1 }))
    expect(await wide.check({ userId, sid, jti: 'j', nowMs })).toMatchObject({
      session: { roles: 'customer vip', amr: 'pwd otp' },
    })
    const pages = await wide.readFeed(Array.from({ length: buckets }, () => FEED_START))
    const told = pages.flatMap(({ entries }) => entries).filter(({ id }) => id === sid)
    expect(told).toMatchObject([{ kind: 'sid', beforeMs: nowMs + 1 }])
  })

  it('keeps its subject when other sessions of it end, and the record its size', async () => {
    const wide = started.connect({ STORE_BUCKETS: String(buckets), SESSIONS_PER_USER: '3' })
    const first = newOpening({ subject: `shop:${'s'.repeat(60)}` })
    const { userId, sid, nowMs, subject } = first
    await wide.openSubjectSession(first)
    const key = createKeyNames(buckets).session(userId)
    const atFirst = await started.direct.strlen(key)
    const [second, third] = [
      newOpening({ ...first, sid: 'b'.repeat(22) }),
      newOpening({ ...first, sid: 'c'.repeat(22) }),
    ]
    for (const one of [second, third]) await wide.openSubjectSession(one)
    await wide.endSession({ userId, sid: third.sid, nowMs, actor })
    expect(await wide.endOthers({ userId, sid, nowMs, actor })).toEqual([second.sid])
    for (let generation = 0; generation < 20; generation++) await wide.rotate(turnOf(first, generation))
    expect(await wide.check({ userId, sid, jti: 'j', nowMs })).toMatchObject({ session: { subject } })
    expect(await started.direct.strlen(key)).toBe(atFirst)
    expect(await started.direct.pttl(key)).toBeGreaterThan(0)
  })

  it('is ended with everybody’s, and needs no account', async () => {
    const opening = newOpening()
    const { userId, sid, nowMs } = opening
    await store.openSubjectSession(opening)
    expect(await store.findUsername(userId)).toBeUndefined()
    await store.endEveryone({ epoch: 'epoch-01', nowMs, actor })
    expect(await store.check({ userId, sid, jti: 'j', nowMs })).toEqual({ status: 'ended' })
    expect(await outcomeOf(store.rotate(turnOf(opening, 0)))).toBe('unknown')
  })

  it('is told from a user’s own, which has no subject', async () => {
    const user = await storeUser(store, { buckets })
    const nowMs = Date.now()
    const { sid } = await user.open(store, nowMs)
    const checked = await store.check({ userId: user.account.userId, sid, jti: 'j', nowMs })
    expect(checked.status === 'live' && checked.session.subject).toBeUndefined()
  })
})
