import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { outcomeOf, startTestStore, storeForms, storeUser, type TestStore } from '../support/store.ts'

const T0 = 1_800_000_000_000

describe.each(storeForms)('how often a session is refreshed $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore

  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
  })
  afterAll(() => started.stop())

  /** Sixty a minute: one a second in the long run, and half a minute's worth at once. */
  async function begin(perMinute = 60) {
    const store = started.connect({ STORE_BUCKETS: String(buckets), REFRESHES_PER_MINUTE: String(perMinute) })
    const user = await storeUser(store, { buckets })
    const session = await user.open(store, T0)
    return { store, session }
  }

  it('is limited: a burst, then the pace, and nothing is used up by a turn that must wait', async () => {
    const { store, session } = await begin()
    for (let generation = 0; generation <= 30; generation++)
      expect(await outcomeOf(store.rotate(session.turn(generation, T0)))).toBe('rotated')
    expect(await store.rotate(session.turn(31, T0))).toEqual({
      ok: false,
      failure: { reason: 'too_many_attempts', retryAfterSeconds: 1 },
    })
    expect(await outcomeOf(store.rotate(session.turn(31, T0 + 999)))).toBe('too_many_attempts')
    expect(await outcomeOf(store.rotate(session.turn(31, T0 + 1000)))).toBe('rotated')
    expect(await outcomeOf(store.rotate(session.turn(32, T0 + 1001)))).toBe('too_many_attempts')
    // A replay changes nothing and needs no wait.
    expect(await outcomeOf(store.rotate(session.turn(31, T0 + 1001)))).toBe('replayed')
    // After half a minute's rest there is room for a burst again.
    for (let generation = 32; generation <= 61; generation++)
      expect(await outcomeOf(store.rotate(session.turn(generation, T0 + 31_000)))).toBe('rotated')
  })

  it('counts the same by clocks that differ', async () => {
    const { store, session } = await begin()
    const skewMs = (generation: number) => (generation % 2 === 0 ? 5000 : -5000)
    const outcomes: string[] = []
    for (let generation = 0; generation < 60; generation++)
      outcomes.push(await outcomeOf(store.rotate(session.turn(generation, T0 + skewMs(generation)))))
    const rotated = outcomes.filter((outcome) => outcome === 'rotated').length
    // Ten seconds of difference are worth ten refreshes more or less, once.
    expect(rotated).toBeGreaterThanOrEqual(20)
    expect(rotated).toBeLessThanOrEqual(41)
  })

  it('is forgotten when the clock was set back by more than clocks differ', async () => {
    const { store, session } = await begin()
    for (let generation = 0; generation <= 30; generation++) await store.rotate(session.turn(generation, T0 + 120_000))
    expect(await outcomeOf(store.rotate(session.turn(31, T0)))).toBe('rotated')
  })

  it('is not limited by 0', async () => {
    const { store, session } = await begin(0)
    for (let generation = 0; generation < 200; generation++)
      expect(await outcomeOf(store.rotate(session.turn(generation, T0)))).toBe('rotated')
  })
})
