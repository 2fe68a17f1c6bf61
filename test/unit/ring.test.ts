import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/log.ts'
import { StoreUnavailable } from '../../src/failure.ts'
import { rotateRing, tendRing, withdrawKey, resealRing, type RingTools } from '../../src/tokens/key-changes.ts'
import { createKeyRing, publicKeySet } from '../../src/tokens/keyring.ts'
import { parseRing, publishedKeys, signingKey, stateOf, type Ring } from '../../src/tokens/ring.ts'
import { openKey, type Seals } from '../../src/tokens/sealed-key.ts'
import { systemRandom } from '../../src/system.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const T0 = 1_800_000_000_000
const times = { signingPeriodMs: 30 * DAY_MS, publishAheadMs: 30 * MINUTE_MS, retiredMs: 16 * MINUTE_MS }
const seals: Seals = [systemRandom.bytes(32)]

/** The one place where a ring is kept, with the store's compare-and-set, and outages at will. */
function ringStore() {
  let stored = ''
  let writes = 0
  let isDown = false
  const answer = async <T>(value: () => T): Promise<T> => {
    if (isDown) throw new StoreUnavailable('down')
    return value()
  }
  const tools: RingTools = {
    store: {
      readKeyRing: () => answer(() => stored),
      replaceKeyRing: ({ read, next }) =>
        answer(() => {
          if (stored === read) {
            stored = next
            writes++
          }
          return stored
        }),
    },
    seals,
    signingAlg: 'ES256',
    times,
  }
  return {
    tools,
    ring: (): Ring => parseRing(stored),
    writes: () => writes,
    lose: () => void (stored = ''),
    setDown: (down: boolean) => void (isDown = down),
  }
}

describe('the states of a key', () => {
  it('follow from its times alone', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await tendRing(tools, T0 + times.publishAheadMs)
    const [first, second] = ring()
    if (!first || !second) throw new Error('two keys were expected')
    expect(second.active_from).toBe(T0 + times.signingPeriodMs)
    const statesAt = (ms: number) => [first, second].map((key) => stateOf(key, ring(), ms, times))
    const turn = second.active_from
    expect(statesAt(T0)).toEqual(['signing', 'published'])
    expect(statesAt(turn - 1)).toEqual(['signing', 'published'])
    expect(statesAt(turn)).toEqual(['retired', 'signing'])
    expect(statesAt(turn + times.retiredMs - 1)).toEqual(['retired', 'signing'])
    expect(statesAt(turn + times.retiredMs)).toEqual(['gone', 'signing'])
  })
})

describe('tending the ring', () => {
  it('adds one key however many find it empty at once', async () => {
    const { tools, ring, writes } = ringStore()
    const changes = await Promise.all(Array.from({ length: 50 }, () => tendRing(tools, T0)))
    expect(changes.filter(({ ours }) => ours)).toHaveLength(1)
    expect(new Set(changes.map((change) => change.ring[0]?.kid)).size).toBe(1)
    expect([ring().length, writes()]).toEqual([1, 1])
    await Promise.all(Array.from({ length: 50 }, () => tendRing(tools, T0 + MINUTE_MS)))
    expect(writes()).toBe(1)
  })

  it('adds no second key on a server whose clock is behind, which signs by the first one', async () => {
    const { tools, ring, writes } = ringStore()
    await tendRing(tools, T0)
    const behindMs = T0 - 5000
    await tendRing(tools, behindMs)
    expect(writes()).toBe(1)
    const clock = { nowMs: () => behindMs }
    const source = createKeyRing({ ...tools, clock, log: createLog(() => undefined, clock) })
    expect((await source.current()).signing.kid).toBe(ring()[0]?.kid)
  })

  it('adds nothing to a ring that lacks nothing', async () => {
    const { tools, writes } = ringStore()
    await tendRing(tools, T0)
    await tendRing(tools, T0 + times.publishAheadMs)
    for (let day = 1; day < 30; day++) await tendRing(tools, T0 + day * DAY_MS)
    expect(writes()).toBe(2)
  })

  it('takes a change of algorithm into the next key', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await tendRing({ ...tools, signingAlg: 'EdDSA' }, T0 + times.publishAheadMs)
    expect(ring().map(({ alg }) => alg)).toEqual(['ES256', 'EdDSA'])
  })
})

describe('a store that has lost its ring', () => {
  it('waits for what another request is reading just now, before it says that a key is unknown', async () => {
    const { tools, ring } = ringStore()
    let nowMs = T0
    const clock = { nowMs: () => nowMs }
    let release: (() => void) | undefined
    const slow: RingTools = {
      ...tools,
      store: {
        ...tools.store,
        async readKeyRing() {
          if (nowMs > T0) await new Promise<void>((resolve) => (release = resolve))
          return tools.store.readKeyRing()
        },
      },
    }
    const source = createKeyRing({ ...slow, clock, log: createLog(() => undefined, clock) })
    await source.current()
    nowMs += times.publishAheadMs
    await tendRing(tools, nowMs)
    const [, fresh] = ring()
    const reader = source.current(fresh?.kid)
    const other = source.current(fresh?.kid)
    await expect.poll(() => release).toBeDefined()
    release?.()
    for (const asked of [await reader, await other]) expect(asked.keys.map(({ kid }) => kid)).toContain(fresh?.kid)
  })

  it('is given back the one that an isolate remembers, and no good token becomes a bad one', async () => {
    const { tools, ring, lose } = ringStore()
    let nowMs = T0
    const clock = { nowMs: () => nowMs }
    const logged: string[] = []
    const source = createKeyRing({ ...tools, clock, log: createLog((line) => logged.push(line), clock) })
    const before = await source.current()
    const stored = ring()
    lose()
    nowMs += 2 * MINUTE_MS
    expect((await source.current()).signing.kid).toBe(before.signing.kid)
    expect(ring()).toEqual(stored)
    expect(logged.at(-1)).toContain('key.restored')
  })
})

describe('rotating by hand', () => {
  it('lets the standby sign as soon as verifiers know it, and adds the next one', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await tendRing(tools, T0 + times.publishAheadMs)
    const nowMs = T0 + DAY_MS
    await rotateRing(tools, nowMs)
    expect(ring().map((key) => stateOf(key, ring(), nowMs, times))).toEqual(['retired', 'signing', 'published'])
  })

  it('never makes a key sign that was not published for long enough', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await rotateRing(tools, T0 + MINUTE_MS)
    await rotateRing(tools, T0 + 2 * MINUTE_MS)
    for (const key of ring().slice(1))
      expect(key.active_from - key.created).toBeGreaterThanOrEqual(times.publishAheadMs)
  })

  it('of a ring without a standby adds the key that signs next, as soon as verifiers know it', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await rotateRing(tools, T0 + MINUTE_MS)
    expect(ring()[1]?.active_from).toBe(T0 + MINUTE_MS + times.publishAheadMs)
  })

  it('adds one key when two do it at the same instant', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    const changes = await Promise.all([rotateRing(tools, T0 + DAY_MS), rotateRing(tools, T0 + DAY_MS)])
    expect(changes.filter(({ ours }) => ours)).toHaveLength(1)
    expect(ring()).toHaveLength(2)
  })
})

describe('withdrawing a key', () => {
  it('takes it out at once, the standby signs, and there is a new standby', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await tendRing(tools, T0 + times.publishAheadMs)
    const nowMs = T0 + DAY_MS
    const bad = signingKey(ring(), nowMs)
    const next = ring()[1]
    await withdrawKey(tools, bad?.kid ?? '', nowMs)
    expect(signingKey(ring(), nowMs)?.kid).toBe(next?.kid)
    expect(publishedKeys(ring(), nowMs, times).map(({ kid }) => kid)).not.toContain(bad?.kid)
    expect(publishedKeys(ring(), nowMs, times)).toHaveLength(2)
  })

  it('that does not sign any longer needs no other in its place', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await tendRing(tools, T0 + times.publishAheadMs)
    await rotateRing(tools, T0 + DAY_MS)
    const retired = ring()[0]?.kid ?? ''
    const change = await withdrawKey(tools, retired, T0 + DAY_MS + MINUTE_MS)
    expect(change).toMatchObject({ ours: true })
    expect(change.added).toBeUndefined()
    expect(ring()).toHaveLength(3)
  })

  it('of a ring without a standby makes a key that signs at once', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    const only = ring()[0]
    await withdrawKey(tools, only?.kid ?? '', T0 + 1)
    expect(signingKey(ring(), T0 + 1)?.kid).not.toBe(only?.kid)
    expect(signingKey(ring(), T0 + 1)).toBeDefined()
  })

  it('changes nothing for a kid that is not there, or was withdrawn already', async () => {
    const { tools, ring, writes } = ringStore()
    await tendRing(tools, T0)
    expect(await withdrawKey(tools, 'nobody', T0)).toMatchObject({ ours: false })
    const kid = ring()[0]?.kid ?? ''
    await withdrawKey(tools, kid, T0)
    expect(await withdrawKey(tools, kid, T0 + 1)).toMatchObject({ ours: false })
    expect(writes()).toBe(2)
  })
})

describe('the service secret', () => {
  it('opens what was sealed under the previous one, and a resealed ring does without that', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    const fresh: Seals = [systemRandom.bytes(32)]
    const key = () => ring()[0] ?? expect.unreachable()
    await expect(openKey(key(), fresh)).rejects.toThrow('another secret')
    await openKey(key(), [...fresh, ...seals])
    await resealRing({ ...tools, seals: [...fresh, ...seals] })
    await openKey(key(), fresh)
    await expect(openKey(key(), seals)).rejects.toThrow('another secret')
  })

  it('does not open a key that was moved under another kid', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    const [key] = ring()
    if (!key) throw new Error('a key was expected')
    await expect(openKey({ ...key, kid: 'another' }, seals)).rejects.toThrow('another kid')
  })
})

describe('two years of a service', () => {
  /** An isolate, and when each key that it published was first seen in its key set. */
  it(
    'never sign by a key that verifiers cannot know, nor drop one whose tokens live',
    { timeout: 400_000 },
    async () => {
      const LIFETIME_MS = 5 * MINUTE_MS
      const VERIFIER_CACHE_MS = 20 * MINUTE_MS
      await fc.assert(
        fc.asyncProperty(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), async (stream) => {
          const chance = (of: number) => (stream.next().value ?? 0) < of
          const { tools, ring, setDown, writes } = ringStore()
          let nowMs = T0
          const clock = { nowMs: () => nowMs }
          const log = createLog(() => undefined, clock)
          const start = () => createKeyRing({ ...tools, clock, log })
          const isolates = Array.from({ length: 5 }, start)
          const firstPublished = new Map<string, number>()
          const lastSigned = new Map<string, number>()
          let needs = 0

          while (nowMs < T0 + 730 * DAY_MS) {
            // Mostly idle; around every change of key minute by minute.
            const active = ring().map((key) => key.active_from)
            const near = active.some((at) => Math.abs(at - nowMs) < 45 * MINUTE_MS)
            nowMs += near ? 2 * MINUTE_MS : 40 * MINUTE_MS
            setDown(chance(0.1))
            if (chance(0.01)) isolates.splice(0, isolates.length, ...Array.from({ length: 50 }, start))
            else if (isolates.length > 5) isolates.length = 5
            const before = writes()
            const behind = !signingKey(ring(), nowMs) || !ring().some((key) => key.active_from > nowMs)
            // The cron fires most of the time.
            if (chance(0.8))
              await start()
                .tend()
                .catch(() => undefined)
            const sets = await Promise.all(isolates.map((isolate) => isolate.current().catch(() => undefined)))
            if (writes() > before) needs++
            expect(writes() - before).toBeLessThanOrEqual(behind ? 1 : 0)

            for (const set of sets) {
              if (!set) continue
              for (const { kid } of set.keys) if (!firstPublished.has(kid)) firstPublished.set(kid, nowMs)
              lastSigned.set(set.signing.kid, nowMs)
              const isFirstEver = set.signing.kid === [...firstPublished.keys()][0]
              const knownForMs = nowMs - (firstPublished.get(set.signing.kid) ?? nowMs)
              expect(isFirstEver || knownForMs >= VERIFIER_CACHE_MS).toBe(true)
              // Every live token's key is in every key set that is handed out.
              const published = new Set(publicKeySet(set).keys.map(({ kid }) => kid))
              for (const [kid, atMs] of lastSigned) if (atMs + LIFETIME_MS > nowMs) expect(published).toContain(kid)
            }
          }
          setDown(false)
          expect(writes()).toBe(needs)
          expect(ring().length).toBeLessThanOrEqual(3)
          expect(writes()).toBeGreaterThanOrEqual(24)
          expect(writes()).toBeLessThanOrEqual(26)
        }),
        { numRuns: 1 },
      )
    },
  )
})
