import { actor } from '../support/actor.ts'
import { Redis } from 'ioredis'
import { base64url } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { sealHash } from '../../src/accounts/sealed-hash.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { createKeyNames, mintUserId } from '../../src/store/keys.ts'
import { writeAccount } from '../../src/store/schema.ts'
import type { Account, Store } from '../../src/store/store.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { deriveKeys, type DerivedKeys } from '../../src/tokens/service-secret.ts'
import { foreignPassword, foreignSamples } from '../support/foreign-hashes.ts'
import { stackForTest, startStack, testSecret, type Stack } from '../support/stack.ts'
import { json, readTokens, refusal } from '../support/user.ts'

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
  expect(await store.createAccounts({ accounts: [account], actor })).toEqual(['created'])
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
  it('that signs in six times at once ends with one hash, and nobody is refused', async () => {
    const account = await imported(bcryptHash)
    const answers = await Promise.all(Array.from({ length: 6 }, () => login(account.username, foreignPassword)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    const renewed = await store.findAccount(account.username)
    expect(renewed?.hash).toMatch(ours)
    await readTokens(await login(account.username, foreignPassword))
    expect(await store.findAccount(account.username)).toEqual(renewed)
  })

  it('changes a password of which the hash is still the imported one', async () => {
    const account = await imported(bcryptHash)
    const { access_token } = await readTokens(await login(account.username, foreignPassword))
    const direct = new Redis(stack.redis.url, { protocol: 2 })
    onTestFinished(() => direct.disconnect())
    await direct.set(await createKeyNames(1).account(account.username), writeAccount(account))
    const next = 'eleven purple kettles sing'
    const change = (current: string) =>
      stack.request(
        '/v1/password',
        json({ current_password: current, new_password: next }, { Authorization: `Bearer ${access_token}` }),
      )
    expect(await refusal(await change(`x${foreignPassword}`))).toBe('401 invalid_credentials')
    expect((await change(foreignPassword)).status).toBe(204)
    await readTokens(await login(account.username, next))
    expect(await refusal(await login(account.username, foreignPassword))).toBe('401 invalid_credentials')
  })

  it('has no hash that could be read in the store, and sealing it again gives the same', async () => {
    const { hash } = await imported(bcryptHash)
    expect(hash).toMatch(/^imported1\.[\w-]+$/)
    expect(Buffer.from(base64url.decode(hash.slice(10))).toString('latin1')).not.toContain('$2y$')
    expect(await sealHash(bcryptHash, keys.hashSeal)).toBe(hash)
  })

  it('is not opened by a hash that somebody put into the store, unsealed or under another secret', async () => {
    const { hashSeal } = await deriveKeys(new Uint8Array(32))
    const sealed = await sealHash(bcryptHash, keys.hashSeal)
    const changed = `${sealed.slice(0, -2)}${sealed.endsWith('A') ? 'BB' : 'AA'}`
    const forged = [
      bcryptHash,
      argon2Hash,
      await sealHash(bcryptHash, hashSeal),
      changed,
      'imported1.AAAA',
      'imported1.',
    ]
    for (const hash of forged) {
      const username = `forged-${mintId(systemRandom)}`.toLowerCase()
      const userId = mintId(systemRandom)
      await store.createAccount({
        account: { userId, username, hash, status: 'active', roles: '', createdAtMs: 0 },
        actor,
      })
      expect(await refusal(await login(username, foreignPassword))).toBe('401 invalid_credentials')
    }
  })

  it('still signs in when the service secret was rotated, and gets a hash of the new one', async () => {
    const newSecret = systemRandom.bytes(32)
    const rotated = await stackForTest({
      env: {
        LATCHKEY_SECRET: base64url.encode(newSecret),
        LATCHKEY_SECRET_PREVIOUS: testSecret,
        STORE_TIMEOUT_MS: '5000',
      },
      sharedRedis: stack.redis,
    })
    const account = await imported(bcryptHash)
    const body = json({ username: account.username, password: foreignPassword, client_id: 'app' })
    await readTokens(await rotated.request('/v1/login', body))
    const { hash = '' } = (await store.findAccount(account.username)) ?? {}
    const { passwordSecret: secret } = await deriveKeys(newSecret)
    expect(await argon2Native.verify(hash, foreignPassword, { secret })).toBe(true)
  })
})
