import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHasher, type Argon2 } from '../../src/accounts/hasher.ts'
import { createApp } from '../../src/app.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { writeAccount } from '../../src/store/schema.ts'
import type { Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { executionContext, testParts } from '../support/parts.ts'
import { startTestStore, storeUser, type TestStore } from '../support/store.ts'
import { bodyOf, json } from '../support/user.ts'

const LOGINS = 10_000
/** What argon2 is asked to do; what it costs is not under test, so it is done at the least cost there is. */
function createCountedArgon2() {
  const costs = /m=\d+,t=\d+,p=\d+/
  const asked: string[] = []
  const argon2: Argon2 = {
    hash(...call) {
      asked.push('hash')
      return argon2Native.hash(...call)
    },
    verify(hash, password, options) {
      asked.push(`verify ${costs.exec(hash)?.[0]} of ${hash.length}`)
      return argon2Native.verify(hash.replace(costs, 'm=8,t=1,p=1'), password, options)
    },
  }
  return { argon2, asked }
}

const kinds = ['active', 'disabled', 'unknown'] as const

/** Everything that an answer says but the request id. */
async function describeAnswer(answer: Response) {
  const { request_id: _, ...body } = await bodyOf(answer)
  return { status: answer.status, headers: [...answer.headers].filter(([name]) => name !== 'x-request-id'), body }
}

describe('ten thousand wrong sign-ins', () => {
  let started: TestStore
  beforeAll(async () => {
    started = await startTestStore()
  })
  afterAll(() => started.stop())

  /** The service in this process, on a real store. */
  async function createService(argon2: Argon2) {
    const { parts } = await testParts()
    const store = started.connect()
    const hasher = createHasher(argon2, { secrets: [systemRandom.bytes(32)], random: systemRandom })
    return { app: createApp({ ...parts, store, hasher }), store }
  }

  /** Names to sign in under: each is tried once, so that no throttle comes in between. */
  async function storeNames(store: Store) {
    const make = async (i: number) => {
      const kind = kinds[i % kinds.length] ?? 'unknown'
      if (kind === 'unknown') return { kind, username: `nobody-${i}-of-that-name` }
      const { account, keys } = await storeUser(store)
      if (kind === 'disabled')
        await started.direct.set(await keys.account(account.username), writeAccount({ ...account, status: kind }))
      return { kind, username: account.username }
    }
    const names: Awaited<ReturnType<typeof make>>[] = []
    for (let i = 0; i < LOGINS; i += 100)
      names.push(...(await Promise.all(Array.from({ length: 100 }, (_, at) => make(i + at)))))
    return names
  }

  it('are answered and worked on alike, whether the username exists, is disabled, or nobody has it', async () => {
    const { argon2, asked } = createCountedArgon2()
    const { app, store } = await createService(argon2)
    /** By kind: all that was ever answered, hashed and asked of the store. One line is what one sign-in comes to. */
    const seen: Record<string, Set<string>> = { active: new Set(), disabled: new Set(), unknown: new Set() }
    asked.splice(0)
    for (const { kind, username } of await storeNames(store)) {
      started.storeRequests.splice(0)
      const request = json({ username, password: `not the password of ${username}`, client_id: 'app' })
      const answer = await describeAnswer(await app.request('/v1/login', request, {}, executionContext))
      const trips = started.storeRequests.map(({ commands }) => commands.map(([name, ...args]) => [name, args.length]))
      seen[kind]?.add(JSON.stringify({ answer, hashed: asked.splice(0), trips }))
    }
    const [line = ''] = seen['active'] ?? []
    expect(JSON.parse(line)).toMatchObject({
      answer: { status: 401, body: { code: 'invalid_credentials' } },
      hashed: ['verify m=19456,t=2,p=1 of 97'],
      trips: [[['mget', 2]], [['eval', expect.any(Number)]]],
    })
    expect(seen).toEqual({ active: new Set([line]), disabled: new Set([line]), unknown: new Set([line]) })
  }, 600_000)
})
