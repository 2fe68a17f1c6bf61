import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { stackForTest } from '../support/stack.ts'
import { bearer, createUser, json } from '../support/user.ts'

const DAY_MS = 86_400_000

describe('what the endpoints leave in the store', () => {
  it('has a time to live on every key but those of accounts, the key ring, the epoch and the audit trail', async () => {
    const stack = await stackForTest()
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    await stack.request('/v1/verify', bearer(second.access_token))
    await user.login()
    const third = await user.login()
    await stack.request(
      '/v1/logout',
      json({ refresh_token: third.refresh_token }, { Authorization: `Bearer ${third.access_token}` }),
    )
    await user.login()
    const wrong = { username: user.username, password: 'wrong', client_id: 'app' }
    await stack.request('/v1/login', json(wrong, { 'CF-Connecting-IP': '203.0.113.9' }))

    const direct = new Redis(stack.redis.url, { protocol: 2 })
    const lives: Record<string, number> = {}
    for (const key of await direct.keys('*')) lives[key.replace(/:.*/, '')] = await direct.pttl(key)
    direct.disconnect()
    expect(Object.keys(lives).toSorted()).toEqual([
      'account',
      'accounts',
      'audit',
      'deny',
      'epoch',
      'feed',
      'keyring',
      's',
      'throttle',
      'username',
    ])
    const limits: Record<string, number> = { s: 8 * DAY_MS, deny: 360_000, feed: 360_000, throttle: DAY_MS }
    for (const [kind, limit] of Object.entries(limits)) {
      expect(lives[kind]).toBeGreaterThan(0)
      expect(lives[kind]).toBeLessThanOrEqual(limit)
    }
    for (const kind of ['account', 'accounts', 'username', 'keyring', 'epoch', 'audit']) expect(lives[kind]).toBe(-1)
  })

  it('holds no token, no password and no private key', async () => {
    const stack = await stackForTest()
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    const direct = new Redis(stack.redis.url, { protocol: 2 })
    const values = await Promise.all((await direct.keys('*')).map(async (key) => direct.dump(key)))
    const strings = await Promise.all(
      ['keyring:{0}', ...(await direct.keys('s:*')), ...(await direct.keys('account:*'))].map((key) => direct.get(key)),
    )
    direct.disconnect()
    const all = [...values, ...strings].join('\n')
    const familySecret = Buffer.from(first.refresh_token.slice(4), 'base64url').subarray(36, 52)
    for (const planted of [
      first.refresh_token,
      second.refresh_token,
      first.access_token,
      familySecret.toString('base64url'),
      familySecret.toString('hex'),
      'correct horse',
      '"d"',
    ])
      expect(all).not.toContain(planted)
    expect(all).toContain('"sealed"')
  })
})
