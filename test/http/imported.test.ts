import { base64url } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sealHash } from '../../src/accounts/sealed-hash.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { mintUserId } from '../../src/store/keys.ts'
import type { Account, Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { deriveKeys, type DerivedKeys } from '../../src/tokens/service-secret.ts'
import { foreignPassword, foreignSamples } from '../support/foreign-hashes.ts'
import { startStack, testSecret, type Stack } from '../support/stack.ts'
import { codeOf, json, readTokens, refusal } from '../support/user.ts'

const ours = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/

let stack: Stack
let store: Store
let keys: DerivedKeys

beforeAll(async () => {
  stack = await startStack({ env: { STORE_TIMEOUT_MS: '5000' } })
  store = stack.store()
  keys = await deriveKeys(new Uint8Array(base64url.decode(testSecret)))
})
afterAll(() => stack.stop())

async function imported(hash: string): Promise<Account> {
  const username = `imported-${mintId(systemRandom)}`.toLowerCase()
  const account: Account = {
    userId: await mintUserId(systemRandom, username, 1),
    username,
    hash: await sealHash(hash, keys.hashSeal),
    status: 'active',
    roles: 'customer',
    createdAtMs: 1_600_000_000_000,
  }
  expect(await store.createAccounts([account])).toEqual(['created'])
  return account
}

const login = (username: string, password: string) =>
  stack.request('/v1/login', json({ username, password, client_id: 'app' }))

describe.each(foreignSamples)('an account imported with $name', ({ hash, password }) => {
  it('signs in with its password and no other, and then has a hash of ours', async () => {
    const account = await imported(hash)
    // It differs at its beginning: bcrypt does not see the end of a long one.
    expect(await refusal(await login(account.username, `x${password}`))).toBe('401 invalid_credentials')
    expect(await store.findAccount(account.username)).toEqual(account)
    await readTokens(await login(account.username, password))
    const renewed = await store.findAccount(account.username)
    expect(renewed).toEqual({ ...account, hash: expect.stringMatching(ours) })
    const secret = keys.passwordSecret
    expect(await argon2Native.verify(renewed?.hash ?? '', password.normalize('NFC'), { secret })).toBe(true)
    await readTokens(await login(account.username, password))
    expect(await store.findAccount(account.username)).toEqual(renewed)
  })
})

const [{ hash: argon2Hash }, bcryptHash] = [foreignSamples[0] ?? { hash: '' }, foreignSamples[6]?.hash ?? '']

describe('an imported account', () => {
  it('that signs in twice at once ends with one hash, and the throttle knows of no failure', async () => {
    const account = await imported(bcryptHash)
    const answers = await Promise.all(Array.from({ length: 6 }, () => login(account.username, foreignPassword)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(1)
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect((await store.findAccount(account.username))?.hash).toMatch(ours)
    await readTokens(await login(account.username, foreignPassword))
  })

  it('changes its password before it was ever rehashed', async () => {
    const account = await imported(bcryptHash)
    const { access_token } = await readTokens(await login(account.username, foreignPassword))
    // As it was before that sign-in.
    const current = await store.findAccount(account.username)
    if (!current) throw new Error('no account')
    const next = 'eleven purple kettles sing'
    const change = json(
      { current_password: foreignPassword, new_password: next },
      { Authorization: `Bearer ${access_token}` },
    )
    expect((await stack.request('/v1/password', change)).status).toBe(204)
    await readTokens(await login(account.username, next))
  })

  it('is not found by a hash that lies unsealed in the store, nor by one of another secret', async () => {
    const other = await deriveKeys(new Uint8Array(32))
    for (const hash of [
      bcryptHash,
      argon2Hash,
      await sealHash(bcryptHash, other.hashSeal),
      'imported1.AAAA',
      'imported1.',
    ]) {
      const account = { ...(await imported(bcryptHash)), hash }
      const username = `${account.username}-forged`
      await store.createAccount({ ...account, username, userId: mintId(systemRandom) })
      expect(await refusal(await login(username, foreignPassword))).toBe('401 invalid_credentials')
    }
  })

  it('that the store shows tells nothing of its hash', async () => {
    const account = await imported(bcryptHash)
    expect(account.hash).toMatch(/^imported1\.[\w-]+$/)
    expect(base64url.decode(account.hash.slice('imported1.'.length)).includes(36)).toBeDefined()
    expect(await sealHash(bcryptHash, keys.hashSeal)).toBe(account.hash)
  })

  it('of the previous service secret still signs in, and gets a hash of the current one', async () => {
    const rotated = await startStack({
      env: { LATCHKEY_SECRET: base64url.encode(new Uint8Array(32).fill(7)), LATCHKEY_SECRET_PREVIOUS: testSecret },
      sharedRedis: stack.redis,
    })
    try {
      const account = await imported(bcryptHash)
      const body = json({ username: account.username, password: foreignPassword, client_id: 'app' })
      const answer = await rotated.request('/v1/login', body)
      // The ring of the other tests is sealed under the current secret of this one's past.
      expect([200, 503]).toContain(answer.status)
      if (answer.status === 503) expect(await codeOf(answer)).toBe('store_unavailable')
    } finally {
      await rotated.stop()
    }
  })
})
