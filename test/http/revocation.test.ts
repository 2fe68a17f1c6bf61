import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withdrawKey } from '../../src/tokens/key-changes.ts'
import { oauthError } from '../support/oauth.ts'
import { apiSecret, audience, backendSecret, issuer, stackForTest, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, bodyOf, createUser, form, json, password, readTokens, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2 })
})
afterAll(() => stack.stop())
const revoke = (fields: Record<string, string>, headers?: Record<string, string>) =>
  stack.request('/oauth/revoke', form(fields, headers))
const introspect = async (accessToken: string, headers = basic('api', apiSecret)) =>
  bodyOf(await stack.request('/oauth/introspect', form({ token: accessToken }, headers)))
const isLive = async (accessToken: string) =>
  (await stack.request('/v1/verify?fresh=1', bearer(accessToken))).status === 204

describe('revocation', () => {
  it('of a refresh token ends the session and all of its access tokens', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const second = await user.refreshed(first.refresh_token)
    const answer = await revoke({ token: second.refresh_token, client_id: 'app', token_type_hint: 'refresh_token' })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
    for (const { access_token } of [first, second]) expect(await isLive(access_token)).toBe(false)
    expect(await refusal(await user.refresh(second.refresh_token))).toBe('401 session_unknown')
  })

  it('of an access token denies that one, and the session goes on', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const answer = await revoke({ token: first.access_token, client_id: 'app', token_type_hint: 'refresh_token' })
    expect(answer.status).toBe(200)
    expect(await isLive(first.access_token)).toBe(false)
    const second = await user.refreshed(first.refresh_token)
    expect(await isLive(second.access_token)).toBe(true)
  })

  it('answers 200 to a token that means nothing, and to one that is revoked already', async () => {
    const user = await createUser(stack)
    const { refresh_token, access_token } = await user.login()
    for (const presented of [
      'rubbish',
      'rt1.rubbish',
      'at1.rubbish',
      access_token,
      access_token,
      refresh_token,
      refresh_token,
      access_token,
    ])
      expect((await revoke({ token: presented, client_id: 'app' })).status).toBe(200)
  })

  it('leaves another client’s token alone, and says so', async () => {
    const user = await createUser(stack)
    const tokens = await user.login()
    for (const presented of [tokens.refresh_token, tokens.access_token]) {
      expect(await oauthError(await revoke({ token: presented, client_id: 'tablet' }))).toBe('400 invalid_grant')
      expect(await oauthError(await revoke({ token: presented }, basic('api', apiSecret)))).toBe('400 invalid_grant')
    }
    expect(await isLive(tokens.access_token)).toBe(true)
    await user.refreshed(tokens.refresh_token)
  })

  it('needs a client', async () => {
    expect(await oauthError(await revoke({ token: 'x' }))).toBe('401 invalid_client')
    expect(await oauthError(await revoke({ token: 'x', client_id: 'backend' }))).toBe('401 invalid_client')
  })
})

describe('introspection', () => {
  it('tells a service what a live token stands for', async () => {
    const user = await createUser(stack)
    const { access_token, session_id } = await user.login()
    const claims = decodeJwt(access_token)
    const told = await introspect(access_token)
    expect(told).toEqual({ ...claims, active: true, token_type: 'Bearer' })
    expect(told).toMatchObject({ iss: issuer, sub: user.id, aud: audience, client_id: 'app', sid: session_id })
  })

  it('is exactly {"active":false} for a token that ended, is bad, is a refresh token, or is meant for another service', async () => {
    const user = await createUser(stack)
    const ended = await user.login()
    const live = await user.login()
    for (const presented of [ended.access_token, 'rubbish', `${live.access_token}x`, live.refresh_token, 'at1.x'])
      expect(await introspect(presented)).toEqual({ active: false })
    expect(await introspect(live.access_token, basic('other-api', apiSecret))).toEqual({ active: false })
    const { access_token } = await (await createUser(stack)).login('tablet')
    expect(await introspect(access_token, basic('other-api', apiSecret))).toMatchObject({ active: true })
  })

  it('is for services that authenticate', async () => {
    const ask = (headers: Record<string, string>, fields = {}) =>
      stack.request('/oauth/introspect', form({ token: 'x', ...fields }, headers))
    expect(await oauthError(await ask({}))).toBe('401 invalid_client')
    expect(await oauthError(await ask({}, { client_id: 'app' }))).toBe('401 invalid_client')
    expect(await oauthError(await ask(basic('api', 'wrong')))).toBe('401 invalid_client')
    expect(await oauthError(await ask(basic('backend', backendSecret)))).toBe('400 unauthorized_client')
    expect(await oauthError(await ask({ Authorization: 'Bearer x' }))).toBe('401 invalid_client')
    const posted = await ask({}, { client_id: 'api', client_secret: apiSecret })
    expect(await bodyOf(posted)).toEqual({ active: false })
  })

  it('is never answered from memory', async () => {
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    expect(await introspect(access_token)).toMatchObject({ active: true })
    await revoke({ token: refresh_token, client_id: 'app' })
    for (let times = 0; times < 4; times++) expect(await introspect(access_token)).toEqual({ active: false })
  })
})

describe('a server that has not heard of a key yet', () => {
  /** Two keys withdrawn within a minute: server 1 signs by one that server 0 has never seen. */
  async function strangeToken() {
    const own = await stackForTest({ servers: 2 })
    const user = await createUser(own)
    const login = async (server: number) => {
      const body = json({ username: user.username, password, client_id: 'app' })
      return readTokens(await own.requestTo(server, '/v1/login', body))
    }
    await login(0)
    for (let times = 0; times < 2; times++) {
      const { kid } = decodeProtectedHeader((await login(1)).access_token)
      await withdrawKey(await own.operator(), kid ?? '', own.nowMs())
      await own.requestTo(1, '/test/clock', { method: 'POST', body: '61000' })
    }
    const { access_token } = await login(1)
    const isAlive = async () => (await own.requestTo(1, '/v1/verify?fresh=1', bearer(access_token))).status === 204
    expect(await isAlive()).toBe(true)
    return { own, access_token, isAlive }
  }

  it('looks for it before it says that a token is dead, and before it revokes nothing', async () => {
    const { own, access_token, isAlive } = await strangeToken()
    const asked = await own.requestTo(0, '/oauth/introspect', form({ token: access_token }, basic('api', apiSecret)))
    expect(await bodyOf(asked)).toMatchObject({ active: true })
    const revoked = await own.requestTo(0, '/oauth/revoke', form({ token: access_token, client_id: 'app' }))
    expect(revoked.status).toBe(200)
    expect(await isAlive()).toBe(false)
  })

  it('answers 503 while the store cannot tell, never that the token is bad', async () => {
    const { own, access_token } = await strangeToken()
    own.proxy.mode('refuse')
    await own.requestTo(0, '/test/clock', { method: 'POST', body: '31000' })
    const calls = [
      () => own.requestTo(0, '/oauth/introspect', form({ token: access_token }, basic('api', apiSecret))),
      () => own.requestTo(0, '/oauth/revoke', form({ token: access_token, client_id: 'app' })),
      () => own.requestTo(0, '/v1/verify', bearer(access_token)),
    ]
    for (const call of calls) for (let times = 0; times < 2; times++) expect((await call()).status).toBe(503)
  })
})

describe.each(['refuse', 'hang', 'garbage'] as const)('while the store does this: %s', (mode) => {
  it('answers 503 with Retry-After at the token, revocation and introspection endpoints, never success', async () => {
    const failing = await stackForTest({ env: { STORE_TIMEOUT_MS: '200' } })
    const user = await createUser(failing)
    const { access_token, refresh_token } = await user.login()
    const asApi = basic('api', apiSecret)
    const ask = () => failing.request('/oauth/introspect', form({ token: access_token }, asApi))
    expect(await bodyOf(await ask())).toMatchObject({ active: true })
    failing.proxy.mode(mode)
    const refresh = form({ grant_type: 'refresh_token', refresh_token, client_id: 'app' })
    for (const answer of [
      await ask(),
      await failing.request('/oauth/token', refresh),
      await failing.request('/oauth/revoke', form({ token: refresh_token, client_id: 'app' })),
      await failing.request('/oauth/revoke', form({ token: access_token, client_id: 'app' })),
      await ask(),
    ]) {
      expect(answer.headers.get('Retry-After')).toBe('1')
      expect(await oauthError(answer)).toBe('503 temporarily_unavailable')
    }
  })
})
