import { describe, expect, it } from 'vitest'
import { stackForTest, webOrigin, type Stack } from '../support/stack.ts'
import { bearer, createUser, json, password, refusal } from '../support/user.ts'

const DEADLINE_MS = 800

interface Fault {
  readonly name: string
  readonly begin: (stack: Stack) => void | Promise<unknown>
  readonly end: (stack: Stack) => void | Promise<unknown>
}

const faults: Fault[] = [
  { name: 'stopped', begin: ({ redis }) => redis.kill(), end: ({ redis }) => redis.restart() },
  { name: 'hung', begin: ({ redis }) => redis.pause(), end: ({ redis }) => redis.resume() },
  { name: 'answering garbage', begin: ({ proxy }) => proxy.mode('garbage'), end: ({ proxy }) => proxy.mode('pass') },
  { name: 'refusing', begin: ({ proxy }) => proxy.mode('refuse'), end: ({ proxy }) => proxy.mode('pass') },
  { name: 'losing replies', begin: ({ proxy }) => proxy.mode('drop-replies'), end: ({ proxy }) => proxy.mode('pass') },
]

describe.each(faults)('while the store is $name', ({ name, begin, end }) => {
  it('answers 503 with Retry-After, touches no cookie, and forgets nobody', async () => {
    const stack = await stackForTest({ env: { STORE_TIMEOUT_MS: String(DEADLINE_MS) } })
    const [user, leaver] = [await createUser(stack), await createUser(stack)]
    const tokens = await user.login()
    const leaving = await leaver.login()
    const web = await stack.request('/v1/login', json({ username: leaver.username, password }, { Origin: webOrigin }))
    const cookie = web.headers.get('Set-Cookie')?.split(';')[0] ?? ''

    await begin(stack)
    const calls: Record<string, () => Promise<Response>> = {
      login: () => stack.request('/v1/login', json({ username: user.username, password, client_id: 'app' })),
      refresh: () => user.refresh(tokens.refresh_token, { attempt: 'during-the-outage' }),
      verify: () => stack.request('/v1/verify?fresh=1', bearer(tokens.access_token)),
      logout: () => stack.request('/v1/logout', { method: 'POST', headers: { Origin: webOrigin, Cookie: cookie } }),
      changePassword: () =>
        stack.request(
          '/v1/password',
          json(
            { current_password: password, new_password: 'eleven purple kettles' },
            { Authorization: `Bearer ${tokens.access_token}` },
          ),
        ),
      register: () => stack.request('/v1/accounts', json({ username: 'somebody-new', password })),
    }
    const took: string[] = []
    for (const [call, make] of Object.entries(calls)) {
      const startedMs = performance.now()
      const answer = await make()
      took.push(`${call} ${((performance.now() - startedMs) / DEADLINE_MS).toFixed(2)}`)
      expect([call, await refusal(answer)]).toEqual([call, '503 store_unavailable'])
      expect(answer.headers.get('Retry-After')).toBe('1')
      expect(answer.headers.get('Set-Cookie')).toBeNull()
      expect(answer.headers.get('Clear-Site-Data')).toBeNull()
    }
    console.log(`${name}: answered after these parts of the deadline: ${took.join(', ')}`)
    expect(await refusal(await stack.request('/readyz'))).toBe('503 not_ready')
    expect((await stack.request('/healthz')).status).toBe(200)
    expect((await stack.request('/.well-known/jwks.json')).status).toBe(200)

    await end(stack)
    await expect.poll(async () => (await stack.request('/readyz')).status, { timeout: 20_000 }).toBe(200)
    const refreshed = await user.refreshed(tokens.refresh_token, { attempt: 'during-the-outage' })
    expect((await stack.request('/v1/verify?fresh=1', bearer(refreshed.access_token))).status).toBe(204)
    expect((await calls['logout']?.())?.status).toBe(204)
    expect(await refusal(await leaver.refresh(leaving.refresh_token))).toMatch(/^401 session_(superseded|unknown)$/)
  })
})

describe('while the store fails, a check', () => {
  it('is answered from memory for half a minute, says that it is stale, and then no more', async () => {
    const stack = await stackForTest()
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const verify = (query = '') => stack.request(`/v1/verify${query}`, bearer(access_token))
    await verify()
    await stack.redis.kill()
    await stack.advanceClock(1000)
    expect((await verify()).headers.get('X-Session-Check')).toBe('stale')
    expect(await refusal(await verify('?fresh=1'))).toBe('503 store_unavailable')
    await stack.advanceClock(28_000)
    expect((await verify()).headers.get('X-Session-Check')).toBe('stale')
    await stack.advanceClock(2000)
    expect(await refusal(await verify())).toBe('503 store_unavailable')
  })

  it('is not answered from memory when CHECK_STALE_SECONDS is 0, nor for a session that was ended here', async () => {
    const strict = await stackForTest({ env: { CHECK_STALE_SECONDS: '0' } })
    const user = await createUser(strict)
    const { access_token } = await user.login()
    await strict.request('/v1/verify', bearer(access_token))
    await strict.redis.kill()
    await strict.advanceClock(1000)
    expect(await refusal(await strict.request('/v1/verify', bearer(access_token)))).toBe('503 store_unavailable')

    const stack = await stackForTest()
    const leaver = await createUser(stack)
    const ended = await leaver.login()
    await stack.request('/v1/verify', bearer(ended.access_token))
    await stack.request('/v1/logout', json({ refresh_token: ended.refresh_token }))
    await stack.redis.kill()
    expect(await refusal(await stack.request('/v1/verify', bearer(ended.access_token)))).toBe('503 store_unavailable')
  })
})

describe('the circuit breaker', () => {
  it('stops asking a store that is known to be down, and asks again by itself', async () => {
    const stack = await stackForTest()
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    stack.proxy.mode('refuse')
    for (let failures = 0; failures < 5; failures++) await user.refresh(refresh_token)
    stack.proxy.mode('drop-replies')
    stack.forgetStoreRequests()
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => refusal(await user.refresh(refresh_token))),
    )
    expect(new Set(answers)).toEqual(new Set(['503 store_unavailable']))
    // At most the one trial call, with its one retry.
    expect(stack.storeRequests.length).toBeLessThanOrEqual(2)
    stack.proxy.mode('pass')
    await expect.poll(async () => (await user.refresh(refresh_token)).status, { timeout: 20_000 }).toBe(200)
  })

  it('opens when nothing but live checks, which share their calls, meets a store that hangs', async () => {
    const stack = await stackForTest({ env: { STORE_TIMEOUT_MS: '300' } })
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const verify = () => stack.request('/v1/verify?fresh=1', bearer(access_token))
    stack.redis.pause()
    await expect
      .poll(
        async () => {
          await Promise.all(Array.from({ length: 5 }, verify))
          return stack.events.some(({ detail }) => detail === 'circuit open')
        },
        { timeout: 20_000 },
      )
      .toBe(true)
    stack.redis.resume()
    await expect.poll(async () => (await verify()).status, { timeout: 20_000 }).toBe(204)
  })

  it('survives clients that hang up in the middle of its trial', async () => {
    const stack = await stackForTest({ env: { STORE_TIMEOUT_MS: '500' } })
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    stack.redis.pause()
    const hangUp = async () => {
      const hurry = { ...json({ refresh_token }), signal: AbortSignal.timeout(50) }
      await stack.request('/v1/refresh', hurry).catch(() => undefined)
    }
    await expect
      .poll(
        async () => {
          await Promise.all(Array.from({ length: 5 }, hangUp))
          return stack.events.filter(({ detail }) => detail === 'trial under way').length
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0)
    stack.redis.resume()
    await expect
      .poll(async () => (await stack.request('/v1/verify?fresh=1', bearer(access_token))).status, { timeout: 20_000 })
      .toBe(204)
  })
})

describe('a store that hangs under load', () => {
  it('piles nothing up: few calls reach it, all are answered, and memory stays where it was', async () => {
    const stack = await stackForTest({ env: { STORE_TIMEOUT_MS: String(DEADLINE_MS) } })
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const wave = () =>
      Promise.all(
        Array.from({ length: 50 }, async () => {
          const answer = await stack.request('/v1/verify?fresh=1', bearer(access_token))
          await answer.text()
          return answer.status
        }),
      )
    for (let warm = 0; warm < 10; warm++) await wave()
    const before = await stack.memoryOf(0)
    stack.proxy.mode('hang')
    const statuses: number[] = []
    for (let sent = 0; sent < 60; sent++) statuses.push(...(await wave()))
    const grownMiB = ((await stack.memoryOf(0)) - before) / 2 ** 20
    console.log(
      `3,000 checks of a hung store: ${stack.proxy.swallowed()} reached it; memory grew by ${Math.round(grownMiB)} MiB`,
    )
    expect(new Set(statuses)).toEqual(new Set([503]))
    expect(stack.proxy.swallowed()).toBeLessThan(500)
    expect(grownMiB).toBeLessThan(64)
    stack.proxy.mode('pass')
    await expect.poll(async () => new Set(await wave()), { timeout: 10_000 }).toEqual(new Set([204]))
  })
})

describe('a store call', () => {
  it('is tried twice: one lost reply costs the client nothing', async () => {
    const stack = await stackForTest({ env: { REPLAY_WINDOW_SECONDS: '0' } })
    const user = await createUser(stack)
    const { refresh_token } = await user.refreshed((await user.login()).refresh_token)
    stack.proxy.mode('drop-one-reply')
    stack.forgetStoreRequests()
    await user.refreshed(refresh_token)
    expect(stack.storeRequests).toHaveLength(2)
    expect(stack.events.at(-1)).toMatchObject({ event: 'refresh.replayed' })
  })
})
