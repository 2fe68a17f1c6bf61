import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Redis } from 'ioredis'
import { resealRing, rotateRing, withdrawKey } from '../../src/tokens/key-changes.ts'
import { systemRandom } from '../../src/system.ts'
import { startTestRedis } from '../support/redis.ts'
import { audience, issuer, stackForTest, startStack, testSecret, type Stack } from '../support/stack.ts'
import { bearer, createUser, json, password, readTokens, refusal } from '../support/user.ts'
import { readKeySet, shouldTest, startVerifier } from '../support/stock-verifiers.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

afterEach(() => void vi.useRealTimers())

const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? ''
const kidsOf = async (stack: Stack) => (await readKeySet(stack)).map(({ kid }) => kid)
const verify = (stack: Stack, token: string) => stack.request('/v1/verify?fresh=1', bearer(token))

/** A ring with a standby, as every service has half an hour after its first start. */
async function stackWithStandby(options?: Parameters<typeof stackForTest>[0]): Promise<Stack> {
  const stack = await stackForTest(options)
  await stack.request('/readyz')
  await stack.advanceClock(31 * MINUTE_MS)
  await stack.request('/readyz')
  expect(await kidsOf(stack)).toHaveLength(2)
  return stack
}

describe('a signing key', () => {
  it('is followed by the next one at its time, and the tokens of both are good', async () => {
    const stack = await stackWithStandby()
    const user = await createUser(stack)
    await stack.advanceClock(30 * DAY_MS - 33 * MINUTE_MS)
    const before = await user.login()
    await stack.advanceClock(3 * MINUTE_MS)
    const after = await user.refreshed(before.refresh_token)
    expect(kidOf(after.access_token)).not.toBe(kidOf(before.access_token))
    for (const { access_token } of [before, after]) expect((await verify(stack, access_token)).status).toBe(204)
    expect(await kidsOf(stack)).toContain(kidOf(before.access_token))
    await stack.advanceClock(20 * MINUTE_MS)
    expect(await kidsOf(stack)).not.toContain(kidOf(before.access_token))
  })

  it('is signed by on no server before all of them publish it', async () => {
    const stack = await stackForTest({ servers: 5 })
    await Promise.all(Array.from({ length: 25 }, () => stack.request('/.well-known/jwks.json')))
    const user = await createUser(stack)
    await stack.advanceClock(31 * MINUTE_MS)
    await rotateRing(await stack.operator(), stack.nowMs())
    for (let minute = 0; minute < 35; minute += 5) {
      const sets = await Promise.all(Array.from({ length: 5 }, () => kidsOf(stack)))
      const signers = await Promise.all(Array.from({ length: 5 }, async () => kidOf((await user.login()).access_token)))
      for (const kid of signers) for (const set of sets) expect(set).toContain(kid)
      await stack.advanceClock(5 * MINUTE_MS)
    }
  })
})

describe('a withdrawn key', () => {
  it('is refused within a minute, leaves the key set, is in the feed, and every session refreshes on', async () => {
    const stack = await stackWithStandby({ servers: 2 })
    const users = await Promise.all(Array.from({ length: 5 }, () => createUser(stack)))
    const tokens = await Promise.all(users.map((user) => user.login()))
    const bad = kidOf(tokens[0]?.access_token ?? '')
    await withdrawKey(await stack.operator(), bad, stack.nowMs())
    await stack.advanceClock(MINUTE_MS)

    for (const { access_token } of tokens)
      expect(await refusal(await verify(stack, access_token))).toBe('401 invalid_token')
    expect(await kidsOf(stack)).not.toContain(bad)
    for (const [i, user] of users.entries()) {
      const next = await user.refreshed(tokens[i]?.refresh_token ?? '')
      expect(kidOf(next.access_token)).not.toBe(bad)
      expect((await verify(stack, next.access_token)).status).toBe(204)
    }
    const direct = new Redis(stack.redis.url, { protocol: 2 })
    const entries = await direct.xrange('feed:{0}', '-', '+')
    const ttl = await direct.pttl('feed:{0}')
    direct.disconnect()
    expect(entries.map(([, fields]) => fields.slice(0, 4))).toEqual([['kind', 'kid', 'id', bad]])
    expect(ttl).toBeGreaterThan(0)
  })

  it('without a standby is followed by a key that another server learns of before it refuses its tokens', async () => {
    const stack = await stackForTest({ servers: 2 })
    const user = await createUser(stack)
    const { refresh_token, access_token } = await user.login()
    await stack.request('/.well-known/jwks.json')
    await stack.request('/.well-known/jwks.json')
    await withdrawKey(await stack.operator(), kidOf(access_token), stack.nowMs())
    // Server 0 has read the new ring; server 1 holds the old one for half a minute yet.
    await stack.advanceClock(31_000)
    await stack.requestTo(0, '/v1/verify', bearer(access_token.replace(/^[^.]*/, header('unknown'))))
    const next = await readTokens(await stack.requestTo(0, '/v1/refresh', json({ refresh_token })))
    expect(kidOf(next.access_token)).not.toBe(kidOf(access_token))
    expect((await stack.requestTo(1, '/v1/verify', bearer(next.access_token))).status).toBe(204)
  })
})

describe('unknown keys', () => {
  it('cost one read of the ring in half a minute, however many tokens name them', async () => {
    const stack = await stackForTest()
    const { access_token } = await (await createUser(stack)).login()
    await stack.advanceClock(31_000)
    stack.forgetStoreRequests()
    for (let i = 0; i < 50; i++) {
      const forged = access_token.replace(/^[^.]*/, header(`random-${i}`))
      expect(await refusal(await stack.request('/v1/verify', bearer(forged)))).toBe('401 invalid_token')
    }
    expect(stack.storeRequests).toHaveLength(1)
  })
})

describe('the service secret', () => {
  it('is rotated without anybody noticing: tokens, keys and passwords of the previous one go on', async () => {
    const redis = await startTestRedis()
    onTestFinished(() => redis.stop())
    const old = await startStack({ sharedRedis: redis })
    const user = await createUser(old)
    const before = await user.login()
    await old.stop()

    const secret = Buffer.from(systemRandom.bytes(32)).toString('base64url')
    const env = { LATCHKEY_SECRET: secret, LATCHKEY_SECRET_PREVIOUS: testSecret }
    const both = await startStack({ sharedRedis: redis, env })
    const login = (stack: Stack) =>
      stack.request('/v1/login', json({ username: user.username, password, client_id: 'app' }))
    expect((await verify(both, before.access_token)).status).toBe(204)
    const refreshed = await readTokens(await both.request('/v1/refresh', json({ refresh_token: before.refresh_token })))
    expect(kidOf(refreshed.access_token)).toBe(kidOf(before.access_token))
    await readTokens(await login(both))
    const last = await readTokens(await login(both))
    await resealRing(await both.operator())
    await both.stop()

    const fresh = await startStack({ sharedRedis: redis, env: { LATCHKEY_SECRET: secret } })
    onTestFinished(() => fresh.stop())
    expect((await verify(fresh, last.access_token)).status).toBe(204)
    await readTokens(await fresh.request('/v1/refresh', json({ refresh_token: last.refresh_token })))
    await readTokens(await login(fresh))
    const stale = await fresh.request('/v1/refresh', json({ refresh_token: before.refresh_token }))
    expect(await refusal(stale)).toBe('401 refresh_invalid')
  })

  it('renews a hash of the previous secret for two sign-ins at once, and refuses neither', async () => {
    const redis = await startTestRedis()
    onTestFinished(() => redis.stop())
    const old = await startStack({ sharedRedis: redis })
    const user = await createUser(old)
    await old.stop()
    const secret = Buffer.from(systemRandom.bytes(32)).toString('base64url')
    const env = { LATCHKEY_SECRET: secret, LATCHKEY_SECRET_PREVIOUS: testSecret }
    const both = await startStack({ sharedRedis: redis, env, servers: 3 })
    onTestFinished(() => both.stop())
    const body = json({ username: user.username, password, client_id: 'app' })
    const answers = await Promise.all(Array.from({ length: 3 }, () => both.request('/v1/login', body)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  })

  it('is needed: on another one the ring does not open, and that is no bad token', async () => {
    const redis = await startTestRedis()
    onTestFinished(() => redis.stop())
    const old = await startStack({ sharedRedis: redis })
    const { access_token } = await (await createUser(old)).login()
    await old.stop()
    const secret = Buffer.from(systemRandom.bytes(32)).toString('base64url')
    const wrong = await startStack({ sharedRedis: redis, env: { LATCHKEY_SECRET: secret } })
    onTestFinished(() => wrong.stop())
    expect(await refusal(await verify(wrong, access_token))).toBe('503 store_unavailable')
    expect(wrong.printed.join('\n')).toContain('does not open with this LATCHKEY_SECRET')
  })
})

describe('a stock verifier follows ten rotations without one refusal', () => {
  it('as jose does with its remote key set', { timeout: 120_000 }, async () => {
    const stack = await stackWithStandby()
    const keySet = createRemoteJWKSet(new URL(`${stack.addressOf(0)}/.well-known/jwks.json`))
    await rotateTenTimes(stack, async (token) => {
      vi.useFakeTimers({ toFake: ['Date'], now: stack.nowMs() })
      await expect(jwtVerify(token, keySet, { issuer, audience, typ: 'at+jwt' })).resolves.toBeDefined()
      vi.useRealTimers()
    })
  })

  it.skipIf(!shouldTest('PyJWT'))('as PyJWT does', { timeout: 120_000 }, async () => {
    const stack = await stackWithStandby()
    const keySetUrl = `${stack.addressOf(0)}/.well-known/jwks.json`
    const verifier = await startVerifier('PyJWT', { keySetUrl, issuer, audience, ignoreTimes: true })
    onTestFinished(() => verifier.stop())
    await rotateTenTimes(stack, (token) => verifier.verify(token))
    await expect(verifier.verify('not.a.token')).rejects.toThrow('refused')
  })

  /** A token every ten minutes, and every hour the operator rotates. */
  async function rotateTenTimes(stack: Stack, check: (token: string) => Promise<void>): Promise<void> {
    const user = await createUser(stack)
    const kids = new Set<string>()
    for (let rotation = 0; rotation <= 10; rotation++) {
      for (let step = 0; step < 6; step++) {
        const { access_token } = await user.login()
        kids.add(kidOf(access_token))
        await check(access_token)
        await stack.advanceClock(10 * MINUTE_MS)
      }
      await rotateRing(await stack.operator(), stack.nowMs())
    }
    expect(kids.size).toBeGreaterThanOrEqual(10)
  }
})

function header(kid: string): string {
  return Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid })).toString('base64url')
}
