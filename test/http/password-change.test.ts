import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createKeyNames } from '../../src/store/keys.ts'
import { apiSecret, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, createUser, form, json, password, readTokens, refusal, type User } from '../support/user.ts'
import { Redis } from 'ioredis'

const newPassword = 'eleven purple kettles sing'

let stack: Stack
let direct: Redis
beforeAll(async () => {
  stack = await startStack({ servers: 2, env: { SESSIONS_PER_USER: '3', STORE_TIMEOUT_MS: '5000' } })
  direct = new Redis(stack.redis.url, { protocol: 2 })
})
afterAll(async () => {
  direct.disconnect()
  await stack.stop()
})

const change = (accessToken: string, current = password, next = newPassword) =>
  stack.request(
    '/v1/password',
    json({ current_password: current, new_password: next }, { Authorization: `Bearer ${accessToken}` }),
  )
const login = (user: User, secret: string) =>
  stack.request('/v1/login', json({ username: user.username, password: secret, client_id: 'app' }))
const verify = (server: number, accessToken: string) =>
  stack.requestTo(server, '/v1/verify?fresh=1', bearer(accessToken))

describe('changing the password', () => {
  it('ends all other sessions, at once and everywhere, and the one that asked goes on', async () => {
    const user = await createUser(stack)
    const [one, asking, three] = [await user.login(), await user.login(), await user.login()]
    const answer = await change(asking.access_token)
    expect([answer.status, await answer.text(), answer.headers.get('Cache-Control')]).toEqual([204, '', 'no-store'])
    for (const { access_token, refresh_token } of [one, three]) {
      for (const server of [0, 1]) expect(await refusal(await verify(server, access_token))).toBe('401 invalid_token')
      expect(await refusal(await user.refresh(refresh_token))).toBe('401 session_unknown')
    }
    for (const server of [0, 1]) expect((await verify(server, asking.access_token)).status).toBe(204)
    await user.refreshed(asking.refresh_token)
    const feed = await stack.request('/v1/revocations', { headers: basic('api', apiSecret) })
    const { entries } = z.object({ entries: z.array(z.object({ id: z.string() })) }).parse(await feed.json())
    const told = entries.map(({ id }) => id)
    expect(told).toEqual(expect.arrayContaining([one.session_id, three.session_id]))
    expect(told).not.toContain(asking.session_id)
  })

  it('makes the new password the one that signs in', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    expect((await change(access_token, password, 'cafe\u0301 eleven purple')).status).toBe(204)
    expect(await refusal(await login(user, password))).toBe('401 invalid_credentials')
    await readTokens(await login(user, 'caf\u00e9 eleven purple'))
    const stored = await direct.get(await createKeyNames(1).account(user.username))
    expect(stored).toMatch(/\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })

  it('takes an opaque access token as well', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login('vault')
    expect((await change(access_token)).status).toBe(204)
    await readTokens(await login(user, newPassword))
  })

  it('is logged, with the sessions that it ended', async () => {
    const user = await createUser(stack)
    const [one, asking] = [await user.login(), await user.login()]
    await change(asking.access_token, 'not the current one')
    await change(asking.access_token)
    const events = stack.events.filter(
      ({ user_id, event }) => user_id === user.id && /password|ended/.test(String(event)),
    )
    const asked = { session_id: asking.session_id, request_id: expect.any(String) }
    expect(events).toMatchObject([
      { event: 'password.change_failed', level: 'warn', detail: 'credentials_wrong', ...asked },
      { event: 'password.changed', level: 'info', ended_sessions: 1, ...asked },
      { event: 'session.ended', level: 'info', session_id: one.session_id },
    ])
    for (const secret of [password, newPassword, 'not the current one'])
      expect(stack.printed.join()).not.toContain(secret)
  })
})

describe('a change of the password is refused', () => {
  it('without an access token, and with one that is bad', async () => {
    const body = { current_password: password, new_password: newPassword }
    const without = await stack.request('/v1/password', json(body))
    expect(without.headers.get('WWW-Authenticate')).toBe('Bearer')
    expect(await refusal(without)).toBe('401 token_missing')
    expect(await refusal(await change('rubbish'))).toBe('401 invalid_token')
  })

  it('without both passwords, and with another method', async () => {
    const { access_token } = await (await createUser(stack)).login()
    const headers = { Authorization: `Bearer ${access_token}` }
    const answer = await stack.request('/v1/password', json({ new_password: newPassword }, headers))
    expect(await refusal(answer)).toBe('400 bad_request')
    const other = await stack.request('/v1/password', bearer(access_token))
    expect([await refusal(other), other.headers.get('Allow')]).toEqual(['405 method_not_allowed', 'POST'])
  })

  it('when the new password may not be one, or is the current one', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const details = {
      short: 'A password has at least 15 characters.',
      passwordpassword: 'This password is one of the most common ones, which are guessed first.',
      [`${user.username}!!`]: 'This password is little more than the username or the name of this service.',
      [password]: 'The new password is the current one.',
    }
    for (const [next, detail] of Object.entries(details)) {
      const answer = await change(access_token, password, next)
      expect(answer.status).toBe(422)
      expect(await answer.json()).toMatchObject({ code: 'password_rejected', detail })
    }
    await readTokens(await login(user, password))
  })

  it('when the current password is wrong; nothing ends', async () => {
    const user = await createUser(stack)
    const [one, asking] = [await user.login(), await user.login()]
    expect(await refusal(await change(asking.access_token, 'not the current one'))).toBe('401 invalid_credentials')
    for (const { access_token } of [one, asking]) expect((await verify(0, access_token)).status).toBe(204)
    await readTokens(await login(user, password))
  })
})

describe('whoever has stolen an access token', () => {
  it('can guess no more often than at the sign-in, and hears of no right guess among many', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    for (let i = 0; i < 4; i++)
      expect(await refusal(await change(access_token, `wrong ${i}`))).toBe('401 invalid_credentials')
    expect(await refusal(await login(user, 'wrong'))).toBe('401 invalid_credentials')
    const delayed = await change(access_token)
    expect(delayed.headers.get('Retry-After')).toBe('1')
    expect(await refusal(delayed)).toBe('429 too_many_attempts')
    expect(await refusal(await login(user, password))).toBe('429 too_many_attempts')
    await stack.advanceClock(1000)
    expect((await change(access_token)).status).toBe(204)
    await readTokens(await login(user, newPassword))
  })

  it('has five guesses looked at, of however many arrive together', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const startedMs = performance.now()
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => change(access_token, `wrong ${i}`)))
    const seconds = (performance.now() - startedMs) / 1000
    const statuses = answers.map(({ status }) => status)
    const looked = statuses.filter((status) => status === 401).length
    expect(looked).toBeGreaterThanOrEqual(5)
    // One more after 1, 3, 7 seconds and so on.
    expect(looked).toBeLessThanOrEqual(5 + Math.ceil(Math.log2(seconds + 1)))
    expect(statuses.filter((status) => ![401, 429, 503].includes(status))).toEqual([])
  })

  it('learns nothing of the current password from a refusal of the new one', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const answers = [await change(access_token, password, 'short'), await change(access_token, 'wrong', 'short')]
    const bodies = await Promise.all(answers.map((answer) => answer.text()))
    const [right, wrong] = bodies.map((text) => text.replace(/"request_id":"[^"]+"/, ''))
    expect(right).toBe(wrong)
    expect(right).toContain('password_rejected')
  })

  it('can do nothing with one that is dead', async () => {
    const user = await createUser(stack)
    const [left, denied] = [await user.login(), await user.login()]
    await stack.request('/v1/logout', json({ refresh_token: left.refresh_token }))
    await stack.request('/oauth/revoke', form({ token: denied.access_token, client_id: 'app' }))
    for (const { access_token } of [left, denied])
      expect(await refusal(await change(access_token))).toBe('401 invalid_token')
    await readTokens(await login(user, password))
  })

  it('does not unlock a locked account, nor hear that a guess at it was right', async () => {
    const user = await createUser(stack)
    let tokens = await user.login()
    await direct.set(await createKeyNames(1).accountThrottle(user.username), '99 0', 'PX', 60_000)
    expect(await refusal(await login(user, 'wrong'))).toBe('401 invalid_credentials')
    for (const guess of [password, 'wrong']) {
      await stack.advanceClock(900_000)
      tokens = await user.refreshed(tokens.refresh_token)
      expect(await refusal(await change(tokens.access_token, guess))).toBe('401 invalid_credentials')
    }
    expect((await stack.store().findAccount(user.username))?.status).toBe('locked')
  })

  it('changes it once, however many ask at the same time', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => change(access_token, password, `${newPassword} ${i}`)),
    )
    const winner = answers.findIndex(({ status }) => status === 204)
    const others = answers.filter((_, i) => i !== winner)
    expect(others.map(({ status }) => status).filter((status) => status !== 401 && status !== 429)).toEqual([])
    await stack.advanceClock(900_000)
    await readTokens(await login(user, `${newPassword} ${winner}`))
  })
})

describe('a user id without an account', () => {
  it('changes no password', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    await direct.del(createKeyNames(1).username(user.id))
    expect(await refusal(await change(access_token))).toBe('401 invalid_token')
  })
})
