import { Redis } from 'ioredis'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createKeyNames } from '../../src/store/keys.ts'
import { stackForTest, type Stack } from '../support/stack.ts'
import { bearer, bodyOf, createUser, json, password, refusal } from '../support/user.ts'

const verify = (stack: Stack, token: string, query = '') => stack.request(`/v1/verify${query}`, bearer(token))

function directTo(stack: Stack): Redis {
  const direct = new Redis(stack.redis.url, { protocol: 2 })
  onTestFinished(() => direct.disconnect())
  return direct
}

describe('reuse whose answer the store lost', () => {
  it('is told as reuse all the same, and the isolate forgets the session', async () => {
    const stack = await stackForTest()
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    const third = await user.refreshed(second.refresh_token)
    await verify(stack, third.access_token)
    stack.proxy.mode('drop-one-reply')
    expect(await refusal(await user.refresh(first.refresh_token))).toBe('401 refresh_reused')
    expect(stack.events.at(-1)).toMatchObject({ event: 'refresh.reused', level: 'error' })
    expect(await refusal(await verify(stack, third.access_token))).toBe('401 invalid_token')
    const entries = await directTo(stack).xrange('feed:{0}', '-', '+')
    expect(entries).toHaveLength(1)
  })
})

describe('an isolate that hears that a session is gone', () => {
  it('does not answer for its other tokens from memory', async () => {
    const stack = await stackForTest({ servers: 2 })
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    const ask = (token: string, query = '') => stack.requestTo(0, `/v1/verify${query}`, bearer(token))
    await ask(first.access_token)
    await ask(second.access_token)
    await stack.requestTo(1, '/v1/logout', json({ refresh_token: second.refresh_token }))
    expect(await refusal(await ask(first.access_token, '?fresh=1'))).toBe('401 invalid_token')
    expect(await refusal(await ask(second.access_token))).toBe('401 invalid_token')
  })

  it('does not answer for it when the refresh said so, or when its logout got no answer', async () => {
    const stack = await stackForTest({ servers: 2 })
    const user = await createUser(stack)
    const left = await user.login()
    const ask = (token: string) => stack.requestTo(0, '/v1/verify', bearer(token))
    await ask(left.access_token)
    await stack.requestTo(1, '/v1/logout', json({ refresh_token: left.refresh_token }))
    await stack.requestTo(0, '/v1/refresh', json({ refresh_token: left.refresh_token }))
    expect(await refusal(await ask(left.access_token))).toBe('401 invalid_token')

    const lost = await user.login()
    await ask(lost.access_token)
    stack.proxy.mode('drop-replies')
    const logout = await stack.requestTo(0, '/v1/logout', json({ refresh_token: lost.refresh_token }))
    expect(await refusal(logout)).toBe('503 store_unavailable')
    stack.proxy.mode('refuse')
    expect(await refusal(await ask(lost.access_token))).toBe('503 store_unavailable')
  })
})

describe('a damaged value in the store', () => {
  it('is the trouble of its own user only', async () => {
    const stack = await stackForTest()
    const direct = directTo(stack)
    const [damaged, other] = [await createUser(stack), await createUser(stack)]
    const theirs = await other.login()
    const mine = await damaged.login()
    const account = await createKeyNames(1).account(damaged.username)
    const login = () => stack.request('/v1/login', json({ username: damaged.username, password, client_id: 'app' }))

    await direct.set(account, ((await direct.get(account)) ?? '').replace('"active"', '"frozen"'))
    for (let times = 0; times < 8; times++) expect(await refusal(await login())).toBe('503 store_unavailable')
    await direct.del(`s:{0}:${damaged.id}`)
    await direct.lpush(`s:{0}:${damaged.id}`, 'not a string')
    expect(await refusal(await damaged.refresh(mine.refresh_token))).toBe('401 session_unknown')
    await direct.set(`s:{0}:${damaged.id}`, '{"roles":"","sessions":[7,{"sid":"x"},["x",null]]}')
    expect(await refusal(await damaged.refresh(mine.refresh_token))).toBe('401 session_unknown')

    expect((await verify(stack, theirs.access_token, '?fresh=1')).status).toBe(204)
    await other.refreshed(theirs.refresh_token)
  })

  it.each([
    'not-a-phc',
    '',
    '$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$ZGlnZXN0',
    '$2b$10$abcdefghijklmnopqrstuu',
  ])(
    'in the place of a password hash (%s) is a wrong password to the caller, and told to the operator',
    async (hash) => {
      const stack = await stackForTest()
      const direct = directTo(stack)
      const user = await createUser(stack)
      const key = await createKeyNames(1).account(user.username)
      const account = JSON.parse((await direct.get(key)) ?? '')
      await direct.set(key, JSON.stringify({ ...account, hash }))
      const answer = await stack.request('/v1/login', json({ username: user.username, password, client_id: 'app' }))
      expect(await refusal(answer)).toBe('401 invalid_credentials')
      expect(stack.events.at(-1)).toMatchObject({ event: 'login.failed', detail: 'the stored hash cannot be read' })
      await (await createUser(stack)).login()
    },
  )

  it('in the place of the key ring makes the service unready, while the isolate goes on with the ring it has', async () => {
    const stack = await stackForTest()
    const { access_token } = await (await createUser(stack)).login()
    await directTo(stack).set('keyring:{0}', '{"keys":[]}')
    await stack.advanceClock(61_000)
    expect((await verify(stack, access_token)).status).toBe(204)
    expect(stack.events.filter(({ event }) => event === 'store.unavailable')).toHaveLength(1)
    const ready = await stack.request('/readyz')
    expect(ready.status).toBe(503)
    expect(await bodyOf(ready)).toMatchObject({ code: 'not_ready', missing: ['keys'] })
  })

  it('in the place of roles is never a header', async () => {
    const stack = await stackForTest()
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const direct = directTo(stack)
    const key = `s:{0}:${user.id}`
    const record = JSON.parse((await direct.get(key)) ?? '')
    await direct.set(key, JSON.stringify(['a\nX-User-Id: root', ...record.slice(1)]))
    expect(await refusal(await verify(stack, access_token, '?fresh=1'))).toBe('401 invalid_token')
  })
})

describe('a session that is about to end', () => {
  it('hands out no access token that outlives it, on a replay either', async () => {
    const stack = await stackForTest({ env: { SESSION_IDLE_SECONDS: '300' } })
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    await user.refreshed(refresh_token, { attempt: 'a' })
    await stack.advanceClock(290_000)
    const replayed = await bodyOf(await user.refresh(refresh_token, { attempt: 'a' }))
    expect(replayed['expires_in']).toBeLessThanOrEqual(10)
    expect(replayed['refresh_expires_in']).toBeLessThanOrEqual(10)
  })
})

describe('a caller', () => {
  it('that hangs up in the middle of its body raises no alarm', async () => {
    const stack = await stackForTest()
    const { hostname, port } = new URL(stack.addressOf(0))
    for (let times = 0; times < 5; times++) {
      const socket = connect(Number(port), hostname)
      socket.write(
        'POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"user',
      )
      socket.end()
      await new Promise((resolve) => socket.once('close', resolve).resume())
    }
    await stack.request('/healthz')
    expect(stack.events.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('such as a gateway may pass on the length of a body that it keeps', async () => {
    const stack = await stackForTest()
    const { access_token } = await (await createUser(stack)).login()
    const big = { ...bearer(access_token, 'POST'), body: 'x'.repeat(50_000) }
    expect((await stack.request('/v1/verify', big)).status).toBe(204)
  })

  it.each(['', '1', 'true', 'yes'])('that asks for ?fresh=%s gets the store’s own answer', async (value) => {
    const stack = await stackForTest()
    const { access_token } = await (await createUser(stack)).login()
    await verify(stack, access_token)
    const answer = await verify(stack, access_token, `?fresh=${value}`)
    expect(answer.headers.get('X-Session-Check')).toBe('live')
  })
})
