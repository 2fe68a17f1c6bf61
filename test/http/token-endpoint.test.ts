import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { oauthError } from '../support/oauth.ts'
import { apiSecret, backendSecret, issuer, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, bodyOf, createUser, form, json, password, readTokens, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2 })
})
afterAll(() => stack.stop())
const token = (fields: Record<string, string>, headers?: Record<string, string>) =>
  stack.request('/oauth/token', form({ grant_type: 'refresh_token', ...fields }, headers))
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
    expect(answer.headers.get('Pragma')).toBe('no-cache')
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
    const asBackend = { ...basic('backend', backendSecret), 'Idempotency-Key': 'one' }
    const ask = (scope: string) => token({ refresh_token, scope }, asBackend)
    expect(await oauthError(await ask('a d'))).toBe('400 invalid_scope')
    expect(await oauthError(await ask('a  b'))).toBe('400 invalid_scope')
    expect(await bodyOf(await ask('c b a'))).toMatchObject({ scope: 'c b a' })
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
    for (const query of ['token=x', 'client_secret=x'])
      expect(await oauthError(await stack.request(`/oauth/revoke?${query}`, form({ client_id: 'app' })))).toBe(
        '400 invalid_request',
      )
  })
})
