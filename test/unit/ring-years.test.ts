import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/log.ts'
import { createKeyRing, publicKeySet } from '../../src/tokens/keyring.ts'
import { signingKey } from '../../src/tokens/ring.ts'

import { DAY_MS, MINUTE_MS, ringStore, T0 } from '../support/ring-store.ts'

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
