/**
 * The search puts Redis into each state before it makes a call. Here the states follow from each other, call by call, for
 * one user whose keys nobody else writes: the bytes are the same.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { startTestStore, storeUser, type StoredUser, type TestStore } from '../support/store.ts'
import { movesFrom } from './moves.ts'
import { answerOf, createRealStore, type RealStore, type Stored } from './real-store.ts'
import { setups } from './setups.ts'
import { firstWorld } from './world.ts'

let started: TestStore
let store: Store
let real: RealStore

beforeAll(async () => {
  started = await startTestStore()
  store = started.connect()
  real = await createRealStore(started, (changes) => started.connect(changes))
})
afterAll(() => started.stop())

it('comes by the same bytes when one call follows another', async () => {
  const story = fc.record({
    setup: fc.constantFrom(...setups),
    choices: fc.array(fc.nat(), { minLength: 20, maxLength: 40 }),
  })
  let calls = 0
  await fc.assert(
    fc.asyncProperty(story, async ({ setup, choices }) => {
      const user = await storeUser(store)
      const key = user.keys.session(user.account.userId)
      let world = firstWorld(setup)
      for (const choice of [0, ...choices]) {
        const moves = movesFrom(world, setup)
        const move = moves[choice % moves.length]
        if (!move) break
        if ('call' in move) {
          calls++
          const [effect] = await real.effectsOf([[world.stored, move.call]])
          if (!effect) throw new Error('no effect')
          // The search has a user in this bucket, too.
          await setEpoch(user, world.stored)
          expect(await answerOf(store, user.account, move.call)).toBe(effect.answer)
          expect(await started.direct.get(user.keys.epoch(user.account.userId))).toBe(effect.stored.epoch)
          world = move.next(effect)
        } else {
          if (move.world.stored !== world.stored) await befall(user, move.world.stored)
          world = move.world
        }
        expect(await started.direct.get(key)).toBe(world.stored.record)
      }
    }),
    { numRuns: 150, verbose: true },
  )
  console.log(`${calls} calls`)
  expect(calls).toBeGreaterThan(500)
})

async function setEpoch({ account, keys }: StoredUser, { epoch }: Stored): Promise<void> {
  const key = keys.epoch(account.userId)
  await (epoch === null ? started.direct.del(key) : started.direct.set(key, epoch))
}

/** What no call did: time, or a mishap. */
async function befall({ account, keys }: StoredUser, { record, hasAccount }: Stored): Promise<void> {
  const key = keys.session(account.userId)
  await (record === null ? started.direct.del(key) : started.direct.set(key, record))
  if (!hasAccount) await started.direct.del(await keys.account(account.username))
}
