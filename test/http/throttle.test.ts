import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeyNames } from '../../src/store/keys.ts'
import { startStack, type Stack } from '../support/stack.ts'
import { createUser, json, password, readTokens, refusal } from '../support/user.ts'

let stack: Stack
let direct: Redis
beforeAll(async () => {
  stack = await startStack({ servers: 5, env: { STORE_TIMEOUT_MS: '10000' } })
  direct = new Redis(stack.redis.url, { protocol: 2 })
})
afterAll(async () => {
  direct.disconnect()
  await stack.stop()
})

let addresses = 0
/** Another network at each call. */
const elsewhere = () => `198.51.${(addresses >> 8) & 255}.${addresses++ & 255}`
const login = (username: string, secret: string, address = elsewhere()) =>
  stack.request('/v1/login', json({ username, password: secret, client_id: 'app' }, { 'CF-Connecting-IP': address }))

/**
 * Sends a thousand, a hundred at a time. Passwords may be looked at five times at once, and then once more after 1, 3, 7
 * seconds and so on.
 */
async function sendThousand(send: (i: number) => Promise<Response>): Promise<void> {
  const startedMs = performance.now()
  const statuses: number[] = []
  for (let sent = 0; sent < 1000; sent += 100)
    statuses.push(...(await Promise.all(times(100, (i) => send(sent + i)))).map(({ status }) => status))
  const seconds = (performance.now() - startedMs) / 1000
  const looked = statuses.filter((status) => status === 401).length
  expect(looked).toBeGreaterThanOrEqual(5)
  expect(looked).toBeLessThanOrEqual(5 + Math.ceil(Math.log2(seconds + 1)))
  // The rest is delayed, or turned away because too many passwords wait to be hashed.
  const others = statuses.filter((status) => status !== 401)
  expect(others.every((status) => status === 429 || status === 503)).toBe(true)
  expect(others.filter((status) => status === 429).length).toBeGreaterThan(500)
}
const times = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i))

describe('wrong passwords', () => {
  it('at one account from a thousand addresses are looked at five times, and then the owner gets in', async () => {
    const user = await createUser(stack)
    await sendThousand(() => login(user.username, 'wrong'))
    await stack.advanceClock(60_000)
    await readTokens(await login(user.username, password))
    for (let i = 0; i < 4; i++) expect((await login(user.username, 'wrong')).status).toBe(401)
    await readTokens(await login(user.username, password))
  })

  it('from one address at a thousand accounts are looked at five times, and others are not kept out', async () => {
    const address = elsewhere()
    const user = await createUser(stack)
    await sendThousand((i) => login(`nobody-${i}`, 'wrong', address))
    expect((await login(user.username, password)).status).toBe(200)
    await stack.advanceClock(60_000)
    await readTokens(await login(user.username, password, address))
  })

  it('make the delay grow: 1, 2, 4 seconds and so on, a quarter of an hour at most', async () => {
    const user = await createUser(stack)
    const waits: number[] = []
    for (let failures = 1; failures <= 17; failures++) {
      expect((await login(user.username, 'wrong')).status).toBe(401)
      if (failures < 5) continue
      const refused = await login(user.username, 'wrong')
      expect(await refusal(refused)).toBe('429 too_many_attempts')
      const seconds = Number(refused.headers.get('Retry-After'))
      waits.push(seconds)
      await stack.advanceClock(seconds * 1000)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
  })

  it('tell nothing of who has an account: an unknown name is delayed alike', async () => {
    const user = await createUser(stack)
    const seen = async (username: string) => {
      const answers: unknown[] = []
      for (let i = 0; i < 7; i++) {
        const answer = await login(username, 'wrong')
        const { request_id: _, ...body } = JSON.parse(await answer.text())
        answers.push([answer.status, answer.headers.get('Retry-After'), body])
      }
      return answers
    }
    expect(await seen(user.username)).toEqual(await seen('nobody-at-all'))
  })

  it('a hundred in a row lock the account, without a word; its session goes on', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    const key = await createKeyNames(1).accountThrottle(user.username)
    await direct.set(key, '99 0', 'PX', 60_000)
    expect(await refusal(await login(user.username, 'wrong'))).toBe('401 invalid_credentials')
    await stack.advanceClock(900_000)
    for (let i = 0; i < 2; i++) {
      expect(await refusal(await login(user.username, password))).toBe('401 invalid_credentials')
      await stack.advanceClock(900_000)
    }
    expect(stack.events.findLast(({ event }) => event === 'login.failed')).toMatchObject({
      user_id: user.id,
      detail: 'the account is locked',
    })
    await user.refreshed(refresh_token)
  })

  it('are forgotten after a day without any, and by a success', async () => {
    const user = await createUser(stack)
    const address = elsewhere()
    await login(user.username, 'wrong', address)
    const keys = await direct.keys('throttle:*')
    for (const key of keys) {
      const life = await direct.pttl(key)
      expect(life).toBeGreaterThan(0)
      expect(life).toBeLessThanOrEqual(86_400_000 + 900_000)
    }
    const own = await createKeyNames(1).accountThrottle(user.username)
    expect(keys).toContain(own)
    await user.login()
    expect(await direct.exists(own)).toBe(0)
  })

  it('from one IPv6 network count as from one address, and right ones do not count', async () => {
    const user = await createUser(stack)
    const host = (i: number) => `2001:db8:7:1::${(i + 1).toString(16)}`
    for (let i = 0; i < 12; i++) await readTokens(await login(user.username, password, host(i)))
    for (let i = 0; i < 5; i++) expect((await login(`nobody-v6-${i}`, 'wrong', host(i))).status).toBe(401)
    expect(await refusal(await login(user.username, password, host(99)))).toBe('429 too_many_attempts')
    await readTokens(await login(user.username, password, '2001:db8:7:2::1'))
  })
})
