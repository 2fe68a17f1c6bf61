/** The rules of `callers.ts` are needed, each of them: what happens to who breaks one, by the shortest path. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestStore, type TestStore } from '../support/store.ts'
import { describe, explore } from './explore.ts'
import { createRealStore, type RealStore } from './real-store.ts'
import type { Setup } from './world.ts'

let started: TestStore
let store: RealStore

beforeAll(async () => {
  started = await startTestStore()
  store = await createRealStore(started, (changes) => started.connect(changes))
})
afterAll(() => started.stop())

const once = ['refresh'] as const
const twice = ['refresh', 'refresh'] as const

const broken: readonly (Setup & { readonly promise: RegExp })[] = [
  {
    name: 'rule 2: a call that was given up on overtakes the next but one',
    callers: [{ name: 'app', jar: 0, errands: ['refresh', 'refresh'] }],
    lateCalls: 'whenever',
    promise: /^who follows the rules stays signed in: app hears reused/,
  },
  {
    name: 'rule 2: a login that was given up on arrives after the logout',
    callers: [{ name: 'phone', jar: 0, errands: ['login', 'logout by refresh token'], opens: 'B' }],
    lateCalls: 'whenever',
    promise: /^what has ended is never accepted again: B is opened/,
  },
  {
    name: 'rule 3: a tab runs two generations ahead of another',
    callers: [
      { name: 'tab 1', jar: 0, errands: once },
      { name: 'tab 2', jar: 0, errands: twice },
    ],
    broken: 'rounds',
    promise: /^who follows the rules stays signed in: tab \d hears reused/,
  },
  {
    name: 'rule 3: an answer to an older refresh replaces the cookie of a newer sign-in',
    callers: [
      { name: 'tab 1', jar: 0, errands: twice },
      { name: 'tab 2', jar: 0, errands: ['login'], opens: 'B' },
    ],
    broken: 'rounds',
    promise: /^a jar never goes back: from B0 to A1/,
  },
  {
    name: 'rule 4: another tab refreshes after the window, before the first has its answer',
    callers: [
      { name: 'tab 1', jar: 0, errands: once },
      { name: 'tab 2', jar: 0, errands: once },
    ],
    allowed: { pauses: 1 },
    broken: 'half a window',
    promise: /^who follows the rules stays signed in: tab \d hears reused/,
  },
  {
    name: 'rule 5: a login is repeated after a newer one has ended its session',
    callers: [
      { name: 'phone B', jar: 0, errands: ['login'], opens: 'B' },
      { name: 'phone C', jar: 1, errands: ['login'], opens: 'C' },
    ],
    broken: 'logins apart',
    promise: /^what has ended is never accepted again: B is opened/,
  },
  {
    name: 'no rule helps: a failover that loses a logout',
    callers: [{ name: 'app', jar: 0, errands: ['logout by refresh token'] }],
    allowed: { failovers: 1 },
    failoverLoses: 'any write',
    promise: /^what has ended is never accepted again: the live check accepts A/,
  },
]

it.each(broken)('finds what happens without $name', async ({ promise, ...setup }) => {
  const explored = await explore(store, setup)
  console.log(`${setup.name}:\n${describe(explored)}`)
  expect(explored.violation?.promise).toMatch(promise)
})

it('needs no rule 4 where tabs agree on a key', async () => {
  const explored = await explore(store, {
    name: 'agreed keys',
    callers: ['tab 1', 'tab 2', 'tab 3'].map((name) => ({ name, jar: 0, errands: once })),
    allowed: { ticks: 1, pauses: 2 },
    agreedKeys: true,
    broken: 'half a window',
  })
  console.log(describe(explored))
  expect(explored.violation).toBeUndefined()
  expect(explored.isExhausted).toBe(true)
})
