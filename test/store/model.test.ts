import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeUser, type StoredSession, type TestStore } from '../support/store.ts'

const T0 = 1_800_000_000_000
const WINDOW_MS = 10_000
const IDLE_MS = 7 * 86_400_000
const ABSOLUTE_MS = 30 * 86_400_000

let started: TestStore
let store: Store

beforeAll(async () => {
  started = await startTestStore()
  store = started.connect()
})
afterAll(() => started.stop())

/** Mostly the newest session and the newest token: else nearly all sequences die early. */
const mostly0 = (most: number) => fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(most))

const rotate = fc.record({
  kind: fc.constant('rotate' as const),
  session: mostly0(2),
  /** How far behind the newest token that was ever handed out. */
  behind: mostly0(3),
  /** Few attempts, so that they are repeated. */
  attempt: fc.constantFrom('a', 'b', 'c'),
})

/** What a user, and a thief who has copied any of the user's tokens, may do. */
const action = fc.oneof(
  { weight: 8, arbitrary: rotate },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('step' as const), ms: fc.nat(2 * WINDOW_MS) }) },
  fc.record({ kind: fc.constant('step' as const), ms: fc.nat(2 * IDLE_MS) }),
  fc.record({ kind: fc.constant('login' as const) }),
  fc.record({ kind: fc.constant('logout' as const), session: mostly0(2) }),
  fc.record({ kind: fc.constant('restore' as const) }),
  fc.record({ kind: fc.constantFrom('end everyone' as const, 'lose the epoch' as const) }),
)

/** The rotation table of the design, written down a second time, over plain values. */
class Model {
  nowMs = T0
  /** The one live session, as the store knows it. */
  live: { index: number; generation: number; attempt: string; usedMs: number; endsMs: number } | undefined
  /** The session that was ended because of reuse, if nothing came after it. */
  reused: number | undefined
  /** The newest generation that clients of each session hold. */
  readonly newest: number[] = []

  login(): void {
    this.newest.push(0)
    const index = this.newest.length - 1
    this.reused = undefined
    this.live = { index, generation: 0, attempt: '', usedMs: this.nowMs, endsMs: this.nowMs + ABSOLUTE_MS }
  }

  endEveryone(): void {
    this.live = undefined
    this.reused = undefined
  }

  rotate(index: number, generation: number, attempt: string): string {
    const { live, nowMs } = this
    if (this.reused === index) return 'reused'
    if (!live) return 'unknown'
    if (live.index !== index) return 'superseded'
    if (Math.min(live.endsMs, live.usedMs + IDLE_MS) - nowMs < 1000) return 'expired'
    if (generation < live.generation) {
      const isPrevious = generation === live.generation - 1
      if (isPrevious && (attempt === live.attempt || nowMs - live.usedMs <= WINDOW_MS)) return 'replayed'
      this.live = undefined
      this.reused = index
      return 'reused'
    }
    const how = generation === live.generation ? 'rotated' : 'recovered'
    this.live = { ...live, generation: generation + 1, attempt, usedMs: nowMs }
    this.newest[index] = Math.max(this.newest[index] ?? 0, generation + 1)
    return how
  }
}

it('answers any sequence of logins, refreshes, thefts, lost writes, logouts, endings and clock steps as the table says', async () => {
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 40 }), async (actions) => {
      const user = await storeUser(store)
      const { userId } = user.account
      const key = user.keys.session(userId)
      const model = new Model()
      const sessions: StoredSession[] = []
      let backup: { record: string; live: Model['live'] } | undefined
      const pick = (index: number) => Math.max(0, sessions.length - 1 - index)

      for (const step of [{ kind: 'login' as const }, ...actions]) {
        switch (step.kind) {
          case 'login':
            sessions.push(await user.open(store, model.nowMs))
            model.login()
            break
          case 'logout': {
            const index = pick(step.session)
            const sid = sessions[index]?.sid ?? ''
            const expected = model.live?.index === index ? 'ended' : 'gone'
            expect(await store.endSession({ userId, sid, nowMs: model.nowMs, actor })).toBe(expected)
            if (expected === 'ended') model.live = undefined
            break
          }
          case 'step':
            model.nowMs += step.ms
            break
          case 'restore':
            // A failover to a replica that lags behind: the session's record of a moment ago comes back.
            if (backup && model.live && backup.live?.index === model.live.index) {
              await started.direct.set(key, backup.record, 'PX', ABSOLUTE_MS)
              model.live = backup.live
            }
            break
          case 'end everyone':
            await store.endEveryone({ epoch: mintId(systemRandom).slice(0, 8), nowMs: model.nowMs, actor })
            model.endEveryone()
            break
          case 'lose the epoch':
            await started.direct.del(user.keys.epoch(userId))
            model.endEveryone()
            break
          case 'rotate': {
            const index = pick(step.session)
            const generation = Math.max(0, (model.newest[index] ?? 0) - step.behind)
            const record = await started.direct.get(key)
            if (record !== null) backup = { record, live: model.live }
            const expected = model.rotate(index, generation, step.attempt)
            const turn = sessions[index]?.turn(generation, model.nowMs, step.attempt)
            if (!turn) throw new Error('no such session')
            expect(await outcomeOf(store.rotate(turn))).toBe(expected)
            seen.set(expected, (seen.get(expected) ?? 0) + 1)
            break
          }
          default:
            step satisfies never
        }
        const checks = sessions.map(({ sid }) => store.check({ userId, sid, jti: 'j', nowMs: model.nowMs }))
        const live = (await Promise.all(checks)).flatMap(({ status }, index) => (status === 'live' ? [index] : []))
        const { live: expected, nowMs } = model
        const isAlive = expected && nowMs < expected.endsMs && nowMs < expected.usedMs + IDLE_MS
        expect(live).toEqual(isAlive ? [expected.index] : [])
      }
    }),
    { numRuns: 200, verbose: true },
  )
  // The sequences came to every row of the table.
  console.log(Object.fromEntries(seen))
  expect([...seen.keys()].toSorted()).toEqual([
    'expired',
    'recovered',
    'replayed',
    'reused',
    'rotated',
    'superseded',
    'unknown',
  ])
})
