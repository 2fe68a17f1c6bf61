import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiSecret, startStack, type Stack } from '../support/stack.ts'
import { basic, bodyOf, createUser, form, json, password, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({
    env: { REGISTRATIONS_PER_HOUR: '3', INTROSPECTIONS_PER_SECOND: '1', STORE_TIMEOUT_MS: '5000' },
  })
})
afterAll(() => stack.stop())

let names = 0
const register = (address: string, secret = password) => {
  const body = { username: `newcomer-${names++}`, password: secret }
  return stack.request('/v1/accounts', json(body, address ? { 'CF-Connecting-IP': address } : {}))
}
const statuses = async (answers: Promise<Response>[]) => (await Promise.all(answers)).map(({ status }) => status)

describe('registrations from one address', () => {
  it('are limited, and say when the next one may come', async () => {
    for (let i = 0; i < 3; i++) expect((await register('203.0.113.7')).status).toBe(201)
    const refused = await register('203.0.113.7')
    // A third of an hour, less what the three took.
    const waitSeconds = Number(refused.headers.get('Retry-After'))
    expect(waitSeconds).toBeGreaterThan(600)
    expect(waitSeconds).toBeLessThanOrEqual(1200)
    expect(await refusal(refused)).toBe('429 too_many_attempts')
    expect(stack.events.at(-1)).toMatchObject({ event: 'registration.throttled', level: 'warn' })
    expect((await register('203.0.113.8')).status).toBe(201)
    await stack.advanceClock(waitSeconds * 1000)
    expect((await register('203.0.113.7')).status).toBe(201)
  })

  it('do not count while the user has still something to correct', async () => {
    for (let i = 0; i < 10; i++) expect((await register('203.0.113.20', 'short')).status).toBe(422)
    expect((await register('203.0.113.20')).status).toBe(201)
  })

  it('are not limited where no address is known', async () => {
    for (let i = 0; i < 5; i++) expect((await register('')).status).toBe(201)
  })

  it('cost two round trips: one to be let in, before the password is hashed, and one to be stored', async () => {
    stack.forgetStoreRequests()
    expect((await register('203.0.113.30')).status).toBe(201)
    expect(stack.storeRequests).toHaveLength(2)
  })
})

describe('a service that asks more often than it may', () => {
  it('is told to wait at introspection, in OAuth’s words, and the store hears nothing of it', async () => {
    const { access_token } = await (await createUser(stack)).login()
    const introspect = (client: string) =>
      stack.request('/oauth/introspect', form({ token: access_token }, basic(client, apiSecret)))
    await stack.advanceClock(2000)
    stack.forgetStoreRequests()
    const answers = await Promise.all(Array.from({ length: 50 }, () => introspect('api')))
    const refused = answers.filter(({ status }) => status === 429)
    const admitted = answers.filter(({ status }) => status === 200)
    expect(refused.length + admitted.length).toBe(50)
    expect(refused.length).toBeGreaterThan(0)
    expect(stack.storeRequests).toHaveLength(admitted.length)
    expect(refused[0]?.headers.get('Retry-After')).toBe('1')
    expect(refused[0] && (await bodyOf(refused[0]))).toMatchObject({ error: 'temporarily_unavailable' })
    // Neither another service nor anybody without a secret uses it up.
    expect((await introspect('other-api')).status).toBe(200)
    await stack.advanceClock(2000)
    expect((await introspect('api')).status).toBe(200)
  })

  it('is told to wait at the revocation feed, which counts for itself', async () => {
    const read = () => stack.request('/v1/revocations', { headers: basic('api', apiSecret) })
    await stack.advanceClock(2000)
    const seen = await statuses(Array.from({ length: 50 }, read))
    expect(new Set(seen)).toEqual(new Set([200, 429]))
    await stack.advanceClock(2000)
    expect((await read()).status).toBe(200)
  })
})
