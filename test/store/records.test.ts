import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Store } from '../../src/store/store.ts'
import { actor } from '../support/actor.ts'
import { outcomeOf, startTestStore, storeUser, type TestStore } from '../support/store.ts'

const T0 = 1_800_000_000_000
const stored = z.tuple([z.string(), z.tuple([z.array(z.union([z.string(), z.number(), z.null()]))])])

let started: TestStore
let store: Store

beforeAll(async () => {
  started = await startTestStore()
  store = started.connect()
})
afterAll(() => started.stop())

/** A session whose record is changed behind the back of everybody. */
async function damaged(change: (record: string) => string) {
  const user = await storeUser(store)
  const { userId } = user.account
  const session = await user.open(store, T0)
  const key = user.keys.session(userId)
  await started.direct.set(key, change((await started.direct.get(key)) ?? ''))
  return {
    refresh: () => outcomeOf(store.rotate(session.turn(0, T0))),
    check: async () => (await store.check({ userId, sid: session.sid, jti: 'j', nowMs: T0 })).status,
    list: () => store.listSessions({ userId, nowMs: T0 }),
    endOthers: () => store.endOthers({ userId, sid: '', nowMs: T0, actor }),
    signIn: async () => (await user.open(store, T0)).superseded,
  }
}

/** Puts another value in the place of one of the session's. */
function replace(place: number, value: string | number | null): (record: string) => string {
  return (record) => {
    const [roles, [session]] = stored.parse(JSON.parse(record))
    return JSON.stringify([roles, [session.with(place, value)]])
  }
}

describe('a record that is none', () => {
  it.each<[string, (record: string) => string]>([
    ['cut off', (record) => record.slice(0, -9)],
    ['empty', () => ''],
    ['a number', () => '7'],
    ['an object', () => '{"roles":"","sessions":[]}'],
    ['without sessions', () => '["r"]'],
    ['with sessions that are none', () => '["r",[7,null,"x",{},[]]]'],
    ['with roles that are no text', (record) => record.replace('"customer"', '7')],
    ['with ids that are too short', replace(0, 'x'.repeat(74))],
    ['with ids that are too long', replace(0, `${'x'.repeat(70)}000000`)],
    ['with ids that are a number', replace(0, 7)],
    ['with a lead that is no number', (record) => record.replace(/00000",/, 'abcde",')],
    ['with a generation that is no number', (record) => record.replace(/0{15}",/, 'abcdefghij00000",')],
    ['without a client', replace(1, null)],
    ['with a sign-in at no time', replace(4, '1800000000')],
    ['without an end', replace(5, null)],
    ['without a last use', replace(6, null)],
  ])('(%s) holds no session, and the user signs in again', async (_, change) => {
    const { refresh, check, list, endOthers, signIn } = await damaged(change)
    expect([await refresh(), await check(), await list(), await endOthers()]).toEqual(['unknown', 'ended', [], []])
    expect(await signIn()).toEqual([])
    expect(await list()).toMatchObject([{ clientId: 'app', device: 'Firefox on Linux', authAtMs: T0 }])
  })
})
