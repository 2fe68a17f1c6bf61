import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { startTestStore, storeUser, type StoredUser, type TestStore } from '../support/store.ts'

const T0 = 1_800_000_000_000
/** A little above today's, so that growth is a decision. The goal of the design is 400. */
const SESSION_BYTES_LIMIT = 240

let started: TestStore
let store: Store

beforeAll(async () => {
  started = await startTestStore()
  store = started.connect()
})
afterAll(() => started.stop())

async function bytesOf(user: StoredUser): Promise<number> {
  return Number(await started.direct.call('MEMORY', 'USAGE', user.keys.session(user.account.userId)))
}

it('keeps a session at the same size after 10,000 rotations as after none', async () => {
  const user = await storeUser(store)
  const session = await user.open(store, T0)
  const atLogin = await bytesOf(user)
  for (let generation = 0; generation < 10; generation++) await store.rotate(session.turn(generation, T0 + generation))
  const afterTen = await bytesOf(user)
  for (let generation = 10; generation < 10_000; generation++)
    await store.rotate(session.turn(generation, T0 + generation))
  const afterTenThousand = await bytesOf(user)
  console.log(`a session takes ${afterTenThousand} bytes`)
  expect({ afterTen, afterTenThousand }).toEqual({ afterTen: atLogin, afterTenThousand: atLogin })
  expect(afterTenThousand).toBeLessThanOrEqual(SESSION_BYTES_LIMIT)
})

it('leaves no key that is not the session’s own behind 1,000 rotations', async () => {
  await started.direct.flushall()
  const user = await storeUser(store)
  const session = await user.open(store, T0)
  for (let generation = 0; generation < 1000; generation++) await store.rotate(session.turn(generation, T0))
  expect((await started.direct.keys('*')).toSorted()).toEqual([
    await user.keys.account(user.account.username),
    user.keys.usernames(user.account.userId),
    user.keys.trail(user.account.userId),
    user.keys.epoch(user.account.userId),
    user.keys.session(user.account.userId),
    user.keys.username(user.account.userId),
  ])
})
