import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/log.ts'
import { rotateRing, tendRing, withdrawKey, resealRing, type RingTools } from '../../src/tokens/key-changes.ts'
import { createKeyRing } from '../../src/tokens/keyring.ts'
import { publishedKeys, signingKey, stateOf, steadySpan } from '../../src/tokens/ring.ts'
import { openKey, type Seals } from '../../src/tokens/sealed-key.ts'
import { systemRandom } from '../../src/system.ts'

import { DAY_MS, MINUTE_MS, ringStore, seals, T0, times } from '../support/ring-store.ts'

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

  it('are steady between the moments at which one of them turns', async () => {
    const { tools, ring } = ringStore()
    await tendRing(tools, T0)
    await tendRing(tools, T0 + times.publishAheadMs)
    await withdrawKey(tools, ring()[0]?.kid ?? '', T0 + DAY_MS)
    const seenAt = (ms: number) => ({
      states: ring().map((key) => stateOf(key, ring(), ms, times)),
      signing: signingKey(ring(), ms)?.kid,
    })
    const seen: unknown[] = []
    for (let ms = T0; ms !== Infinity; ms = steadySpan(ring(), ms, times).untilMs) {
      const { fromMs, untilMs } = steadySpan(ring(), ms, times)
      expect(fromMs).toBe(ms)
      expect(seenAt(Math.min(untilMs - 1, ms + 100 * DAY_MS))).toEqual(seenAt(ms))
      seen.push(seenAt(ms))
    }
    expect(seen.length).toBeGreaterThan(3)
    expect(seen.at(0)).not.toEqual(seen.at(-1))
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
