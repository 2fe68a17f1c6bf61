import { base64url } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Redis } from 'ioredis'
import { createHasher } from '../../src/accounts/hasher.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { createKeyNames } from '../../src/store/keys.ts'
import { accountJson, writeAccount } from '../../src/store/schema.ts'
import { systemRandom } from '../../src/system.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { startStack, testSecret, type Stack } from '../support/stack.ts'
import { bearer, createUser, json, password, refusal } from '../support/user.ts'

let stack: Stack
let direct: Redis
let passwordSecret: Uint8Array<ArrayBuffer>

beforeAll(async () => {
  stack = await startStack({ env: { STORE_TIMEOUT_MS: '5000' } })
  direct = new Redis(stack.redis.url, { protocol: 2 })
  passwordSecret = (await deriveKeys(new Uint8Array(base64url.decode(testSecret)))).passwordSecret
})
afterAll(async () => {
  direct.disconnect()
  await stack.stop()
})

async function storedAccount(username: string) {
  const key = await createKeyNames(1).account(username)
  return { key, account: accountJson.parse(await direct.get(key)) }
}

describe('a password hash', () => {
  it('made in workerd is argon2id at the required cost, and the native build verifies it', async () => {
    const { username } = await createUser(stack)
    const { hash } = (await storedAccount(username)).account
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await argon2Native.verify(hash, password, { secret: passwordSecret })).toBe(true)
    expect(await argon2Native.verify(hash, `${password}!`, { secret: passwordSecret })).toBe(false)
  })

  it('made by the native build is verified in workerd', async () => {
    const { username } = await createUser(stack)
    const { key, account } = await storedAccount(username)
    const hashed = await createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom }).hash(
      'made natively',
    )
    if (!hashed.ok) throw new Error('no turn')
    await direct.set(key, writeAccount({ ...account, hash: hashed.value }))
    const login = (secret: string) => stack.request('/v1/login', json({ username, password: secret, client_id: 'app' }))
    expect((await login('made natively')).status).toBe(200)
    expect(await refusal(await login(password))).toBe('401 invalid_credentials')
  })

  it('cannot be tried against passwords without the service secret', async () => {
    const { username } = await createUser(stack)
    const { hash } = (await storedAccount(username)).account
    for (const secret of [new Uint8Array(), new Uint8Array(32)])
      expect(await argon2Native.verify(hash, password, { secret })).toBe(false)
  })

  it('of lower cost is made anew at the next sign-in', async () => {
    const { username } = await createUser(stack)
    const { key, account } = await storedAccount(username)
    const cheap = { memoryCost: 8192, timeCost: 1, parallelism: 1, secret: passwordSecret }
    await direct.set(key, writeAccount({ ...account, hash: await argon2Native.hash(password, cheap) }))
    const login = () => stack.request('/v1/login', json({ username, password, client_id: 'app' }))
    expect((await login()).status).toBe(200)
    const renewed = (await storedAccount(username)).account
    expect(renewed).toEqual({ ...account, hash: expect.stringMatching(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/) })
    expect((await login()).status).toBe(200)
    expect((await storedAccount(username)).account).toEqual(renewed)
  })

  it('of a disabled account opens nothing', async () => {
    const { username } = await createUser(stack)
    const { key, account } = await storedAccount(username)
    await direct.set(key, writeAccount({ ...account, status: 'disabled' }))
    const answer = await stack.request('/v1/login', json({ username, password, client_id: 'app' }))
    expect(await refusal(answer)).toBe('401 invalid_credentials')
  })
})

describe('more sign-ins than an isolate can hash', () => {
  let names = 0
  /** At another name each time, since no name may be tried often. */
  const wrong = () => json({ username: `nobody-${names++}`, password: 'not the right password', client_id: 'app' })

  it('wait their turn up to a number, and are told to come back beyond it', async () => {
    const user = await createUser(stack)
    const answers = await Promise.all(Array.from({ length: 60 }, () => stack.request('/v1/login', wrong())))
    const outcomes = await Promise.all(answers.map(refusal))
    const refused = answers.filter(({ status }) => status === 503)
    expect(new Set(outcomes)).toEqual(new Set(['401 invalid_credentials', '503 overloaded']))
    expect(answers.length - refused.length).toBeGreaterThanOrEqual(16)
    for (const { headers } of refused) expect(headers.get('Retry-After')).toBe('1')
    await user.login()
  })

  it('do not hold up who only verifies', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const done: string[] = []
    const logins = Array.from({ length: 16 }, async () => {
      await (await stack.request('/v1/login', wrong())).text()
      done.push('login')
    })
    await stack.request('/v1/verify?fresh=1', bearer(access_token))
    done.push('verify')
    await Promise.all(logins)
    expect(done.indexOf('verify')).toBeLessThan(8)
  })

  it('leave no turn taken when their clients hang up', async () => {
    const user = await createUser(stack)
    for (let round = 0; round < 3; round++) {
      const hurried = Array.from({ length: 16 }, () =>
        stack.request('/v1/login', { ...wrong(), signal: AbortSignal.timeout(100) }).catch(() => undefined),
      )
      await Promise.all(hurried)
    }
    await expect.poll(async () => (await stack.request('/v1/login', wrong())).status, { timeout: 20_000 }).toBe(401)
    await user.login()
  })
})
