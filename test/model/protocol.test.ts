import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestStore, type TestStore } from '../support/store.ts'
import { describe, explore } from './explore.ts'
import { createRealStore, type RealStore } from './real-store.ts'
import { setups } from './setups.ts'

let started: TestStore
let store: RealStore
const reached = new Set<string>()

beforeAll(async () => {
  started = await startTestStore()
  store = await createRealStore(started, (changes) => started.connect(changes))
})
afterAll(() => started.stop())

// A busy machine takes its time.
it.each(setups)('keeps every promise in every state: $name', { timeout: 180_000 }, async (setup) => {
  const startedAt = performance.now()
  const asked = store.answered
  const explored = await explore(store, setup)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(`${setup.name}: ${seconds} s, ${store.answered - asked} store calls, ${describe(explored)}`)
  expect(explored.violation).toBeUndefined()
  expect(explored.isExhausted).toBe(true)
  for (const answer of explored.answers.keys()) reached.add(answer)
})

it('came to every answer that the store can give', () => {
  const refreshed = ['rotated', 'replayed', 'recovered', 'reused', 'superseded', 'unknown', 'expired', 'foreign']
  expect([...reached].toSorted()).toEqual([...refreshed, 'opened', 'changed', 'ended', 'gone'].toSorted())
})
