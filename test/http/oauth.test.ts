import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiSecret, audience, backendSecret, issuer, stackForTest, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, bodyOf, createUser, form, json, password, readTokens, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2 })
})
afterAll(() => stack.stop())

/** Status and error in one, as in `400 invalid_grant`; the answer must be JSON that no cache stores. */
async function oauthError(answer: Response): Promise<string> {
  expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/)
  expect(answer.headers.get('Cache-Control')).toBe('no-store')
  const { error, error_description } = await bodyOf(answer)
  expect(error_description).toEqual(expect.any(String))
  return `${answer.status} ${String(error)}`
}

const token = (fields: Record<string, string>, headers?: Record<string, string>) =>
  stack.request('/oauth/token', form({ grant_type: 'refresh_token', ...fields }, headers))
const revoke = (fields: Record<string, string>, headers?: Record<string, string>) =>
  stack.request('/oauth/revoke', form(fields, headers))
const introspect = async (accessToken: string, headers = basic('api', apiSecret)) =>
  bodyOf(await stack.request('/oauth/introspect', form({ token: accessToken }, headers)))
const isLive = async (accessToken: string) =>
  (await stack.request('/v1/verify?fresh=1', bearer(accessToken))).status === 204

/** A user with a session of the confidential client. */
async function backendSession() {
  const user = await createUser(stack)
  const body = { username: user.username, password, client_id: 'backend' }
  return readTokens(await stack.request('/v1/login', json(body, basic('backend', backendSecret))))
}

describe('the metadata', () => {
  it('names every endpoint under the issuer, byte for byte, and nothing that is empty', async () => {
    const answer = await stack.request('/.well-known/oauth-authorization-server')
    expect(answer.headers.get('Cache-Control')).toBe('public, max-age=300')
    expect(await answer.json()).toEqual({
      issuer,
      token_endpoint: `${issuer}/oauth/token`,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      revocation_endpoint: `${issuer}/oauth/revoke`,
      revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      introspection_endpoint: `${issuer}/oauth/introspect`,
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      grant_types_supported: ['refresh_token'],
      response_types_supported: ['none'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      scopes_supported: ['accounts:read', 'accounts:write', 'a', 'b', 'c'],
    })
    const etag = answer.headers.get('ETag') ?? ''
    const again = await stack.request('/.well-known/openid-configuration', { headers: { 'If-None-Match': etag } })
    expect(again.status).toBe(304)
  })
})

describe('the token endpoint', () => {
  it('rotates the refresh token of a public client that names itself', async () => {
    const user = await createUser(stack)
    const first = await user.login()
    const answer = await token({ refresh_token: first.refresh_token, client_id: 'app' })
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    const second = await readTokens(answer)
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect(await isLive(second.access_token)).toBe(true)
    expect(await user.refreshed(second.refresh_token)).toMatchObject({ session_id: first.session_id })
  })

  it('replays by the same Idempotency-Key, however late, and ends the session of a token that comes back', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    const once = await token({ refresh_token, client_id: 'app' }, { 'Idempotency-Key': 'one' })
    const successor = (await readTokens(once)).refresh_token
    await stack.advanceClock(3_600_000)
    const again = await token({ refresh_token, client_id: 'app' }, { 'Idempotency-Key': 'one' })
    expect((await readTokens(again)).refresh_token).toBe(successor)
    expect(await oauthError(await token({ refresh_token, client_id: 'app' }))).toBe('400 invalid_grant')
    expect(await refusal(await user.refresh(successor))).toBe('401 refresh_reused')
  })

  it('lets a client with a secret authenticate by header or form, and by nothing less', async () => {
    const first = await backendSession()
    const byHeader = await token({ refresh_token: first.refresh_token }, basic('backend', backendSecret))
    const { refresh_token } = await readTokens(byHeader)
    const byForm = await token({ refresh_token, client_id: 'backend', client_secret: backendSecret })
    const last = (await readTokens(byForm)).refresh_token
    const bad = [
      await token({ refresh_token: last, client_id: 'backend' }),
      await token({ refresh_token: last, client_id: 'backend', client_secret: `${backendSecret}x` }),
      await token({ refresh_token: last }, basic('backend', apiSecret)),
      await token({ refresh_token: last }, basic('nobody', backendSecret)),
      await token({ refresh_token: last }, { Authorization: 'Basic !' }),
      await token({ refresh_token: last, client_id: 'app' }, basic('backend', backendSecret)),
      await token({ refresh_token: last }),
      await token({ refresh_token: last }, basic('app', '')),
    ]
    for (const answer of bad) {
      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/)
      expect(await oauthError(answer)).toBe('401 invalid_client')
    }
    const both = await token({ refresh_token: last, client_secret: 'x' }, basic('backend', backendSecret))
    expect(await oauthError(both)).toBe('400 invalid_request')
    await readTokens(await token({ refresh_token: last }, basic('backend', backendSecret)))
  })

  it('leaves a client with a secret no way around it', async () => {
    const user = await createUser(stack)
    const body = { username: user.username, password, client_id: 'backend' }
    expect(await refusal(await stack.request('/v1/login', json(body)))).toBe('401 invalid_client')
    const { refresh_token } = await backendSession()
    const refresh = (headers = {}) => stack.request('/v1/refresh', json({ refresh_token }, headers))
    expect(await refusal(await refresh())).toBe('401 refresh_invalid')
    expect(await refusal(await refresh(basic('backend', 'x')))).toBe('401 refresh_invalid')
    await readTokens(await refresh(basic('backend', backendSecret)))
  })

  it('refuses another client’s token and leaves its session alone', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    expect(await oauthError(await token({ refresh_token, client_id: 'tablet' }))).toBe('400 invalid_grant')
    const asBackend = await token({ refresh_token }, basic('backend', backendSecret))
    expect(await oauthError(asBackend)).toBe('400 invalid_grant')
    await user.refreshed(refresh_token)
  })

  it('grants a narrower scope, and none that the session lacks', async () => {
    const { refresh_token } = await backendSession()
    const ask = (scope: string) => token({ refresh_token, scope }, basic('backend', backendSecret))
    expect(await oauthError(await ask('a d'))).toBe('400 invalid_scope')
    expect(await oauthError(await ask('a  b'))).toBe('400 invalid_scope')
    const narrowed = await bodyOf(await ask('a c'))
    expect(narrowed).toMatchObject({ scope: 'a c' })
    expect(decodeJwt(String(narrowed['access_token']))).toMatchObject({ scope: 'a c' })
    const whole = await bodyOf(
      await token({ refresh_token: String(narrowed['refresh_token']) }, basic('backend', backendSecret)),
    )
    expect(whole).toMatchObject({ scope: 'a b c' })
  })

  it('takes no password, from nobody', async () => {
    const user = await createUser(stack)
    const fields = { grant_type: 'password', username: user.username, password, client_id: 'app' }
    expect(await oauthError(await stack.request('/oauth/token', form(fields)))).toBe('400 unsupported_grant_type')
  })

  it('refuses clients that hold no refresh token, and requests that are not well formed', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    expect(await oauthError(await token({ refresh_token, client_id: 'web' }))).toBe('400 unauthorized_client')
    expect(await oauthError(await token({ refresh_token }, basic('api', apiSecret)))).toBe('400 unauthorized_client')
    expect(await oauthError(await token({ client_id: 'app' }))).toBe('400 invalid_request')
    expect(await oauthError(await stack.request('/oauth/token', form({ client_id: 'app' })))).toBe(
      '400 invalid_request',
    )
    expect(await oauthError(await stack.request('/oauth/token', json({ refresh_token })))).toBe('400 invalid_request')
    const twice = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'app', refresh_token })
    twice.append('client_id', 'tablet')
    expect(await oauthError(await stack.request('/oauth/token', { method: 'POST', body: twice }))).toBe(
      '400 invalid_request',
    )
    expect(await oauthError(await stack.request('/oauth/token'))).toBe('405 invalid_request')
    const large = await token({ refresh_token: 'x'.repeat(20_000), client_id: 'app' })
    expect(await oauthError(large)).toBe('413 invalid_request')
    expect(await oauthError(await stack.request('/oauth/revoke?token=x', form({ client_id: 'app' })))).toBe(
      '400 invalid_request',
    )
  })
})

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
    expect(await oauthError(await ask(basic('backend', backendSecret)))).toBe('401 invalid_client')
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
