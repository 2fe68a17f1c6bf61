import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeyNames } from '../../src/store/keys.ts'
import type { Store } from '../../src/store/store.ts'
import { startTestStore, storeForms, type TestStore } from '../support/store.ts'

const HOUR_MS = 3_600_000

describe.each(storeForms)('registrations from an address $name', ({ scriptForm, cluster, buckets }) => {
  let started: TestStore
  let store: Store
  beforeAll(async () => {
    started = await startTestStore({ scriptForm, cluster })
    store = started.connect({ STORE_BUCKETS: String(buckets), REGISTRATIONS_PER_HOUR: '20' })
  })
  afterAll(() => started.stop())

  const admitted = async (addressDigest: string, nowMs: number, tries = 100) => {
    const answers = await Promise.all(
      Array.from({ length: tries }, () => store.admitRegistration({ addressDigest, nowMs })),
    )
    return answers.filter(({ waitMs }) => waitMs === 0).length
  }

  it('are let in twenty at once, of a hundred that race, and then one in three minutes', async () => {
    const nowMs = Date.now()
    expect(await admitted('one', nowMs)).toBe(20)
    expect(await store.admitRegistration({ addressDigest: 'one', nowMs })).toEqual({ waitMs: 180_000 })
    expect(await admitted('one', nowMs + 179_999)).toBe(0)
    expect(await admitted('one', nowMs + 180_000)).toBe(1)
    expect(await admitted('one', nowMs + HOUR_MS + 180_000)).toBe(20)
    expect(await admitted('another', nowMs)).toBe(20)
  })

  it('are forgotten after an hour, and no server’s clock locks anybody out', async () => {
    const nowMs = Date.now()
    await admitted('ahead', nowMs + 24 * HOUR_MS)
    const life = await started.direct.pttl(createKeyNames(buckets).registrationThrottle('ahead'))
    expect(life).toBeGreaterThan(0)
    expect(life).toBeLessThanOrEqual(HOUR_MS)
    expect(await admitted('ahead', nowMs)).toBe(0)
    expect((await store.admitRegistration({ addressDigest: 'ahead', nowMs })).waitMs).toBe(HOUR_MS)
  })

  it('are not counted where there is no limit', async () => {
    store = started.connect({ STORE_BUCKETS: String(buckets), REGISTRATIONS_PER_HOUR: '0' })
    expect(await admitted('free', Date.now())).toBe(100)
  })
})
