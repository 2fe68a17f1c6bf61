import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { badTokens } from '../support/bad-tokens.ts'
import { apiSecret, audience, backendSecret, issuer, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, createUser, json, password, readTokens } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2 })
})
afterAll(() => stack.stop())

/** Lets a client find the issuer's https address on the servers of the test. */
const toStack = (url: string, init: object) => {
  expect(url.startsWith(issuer)).toBe(true)
  return stack.request(url.slice(issuer.length), init)
}

const isLive = async (accessToken: string) =>
  (await stack.request('/v1/verify?fresh=1', bearer(accessToken))).status === 204

describe('oauth4webapi', () => {
  const options = { [oauth.customFetch]: toStack }
  const app: oauth.Client = { client_id: 'app' }
  const api: oauth.Client = { client_id: 'api' }

  async function discover(algorithm: 'oauth2' | 'oidc' = 'oauth2') {
    const answer = await oauth.discoveryRequest(new URL(issuer), { ...options, algorithm })
    return oauth.processDiscoveryResponse(new URL(issuer), answer)
  }

  it('discovers the server at both well-known paths', async () => {
    const server = await discover()
    expect(server).toEqual(await discover('oidc'))
    expect(server.issuer).toBe(issuer)
    for (const [name, value] of Object.entries(server))
      expect([name, Array.isArray(value) && value.length === 0]).toEqual([name, false])
  })

  it('refreshes, validates the access token, introspects and revokes it', async () => {
    const server = await discover()
    const { refresh_token } = await (await createUser(stack)).login()
    const answer = await oauth.refreshTokenGrantRequest(server, app, oauth.None(), refresh_token, options)
    const tokens = await oauth.processRefreshTokenResponse(server, app, answer)

    const request = new Request(`${audience}/accounts`, bearer(tokens.access_token))
    const claims = await oauth.validateJwtAccessToken(server, request, audience, options)
    expect(claims.client_id).toBe('app')

    const introspect = async () => {
      const asked = await oauth.introspectionRequest(
        server,
        api,
        oauth.ClientSecretBasic(apiSecret),
        tokens.access_token,
        options,
      )
      return oauth.processIntrospectionResponse(server, api, asked)
    }
    expect(await introspect()).toMatchObject({ active: true, sub: claims.sub })
    const revoked = await oauth.revocationRequest(server, app, oauth.None(), tokens.refresh_token ?? '', options)
    await oauth.processRevocationResponse(revoked)
    expect(await introspect()).toEqual({ active: false })
  })

  it('validates no bad access token of eleven kinds', async () => {
    const server = await discover()
    const tokens = await (await createUser(stack)).login()
    const validate = (token: string) =>
      oauth.validateJwtAccessToken(server, new Request(`${audience}/accounts`, bearer(token)), audience, options)
    const bad = await badTokens(stack, tokens)
    expect(bad).toHaveLength(11)
    for (const { name, token } of bad) {
      const outcome = await validate(token).catch((error: unknown) => error)
      expect({ name, refused: outcome instanceof Error }).toEqual({ name, refused: true })
    }
    expect((await validate(tokens.access_token)).sid).toBe(tokens.session_id)
  })

  it.each([
    ['client_secret_basic', oauth.ClientSecretBasic(backendSecret)],
    ['client_secret_post', oauth.ClientSecretPost(backendSecret)],
  ])('authenticates by %s', async (_, authentication) => {
    const server = await discover()
    const backend: oauth.Client = { client_id: 'backend' }
    const user = await createUser(stack)
    const body = { username: user.username, password, client_id: 'backend' }
    const login = await stack.request('/v1/login', json(body, basic('backend', backendSecret)))
    const { refresh_token } = await readTokens(login)
    const answer = await oauth.refreshTokenGrantRequest(server, backend, authentication, refresh_token, options)
    const tokens = await oauth.processRefreshTokenResponse(server, backend, answer)
    expect(await isLive(tokens.access_token)).toBe(true)
  })

  it('reads a refusal as the OAuth error that it is', async () => {
    const server = await discover()
    const answer = await oauth.refreshTokenGrantRequest(server, app, oauth.None(), 'rubbish', options)
    await expect(oauth.processRefreshTokenResponse(server, app, answer)).rejects.toMatchObject({
      error: 'invalid_grant',
    })
    const asked = await oauth.introspectionRequest(server, api, oauth.ClientSecretBasic('wrong'), 'x', options)
    await expect(oauth.processIntrospectionResponse(server, api, asked)).rejects.toBeInstanceOf(
      oauth.WWWAuthenticateChallengeError,
    )
  })
})

describe('openid-client', () => {
  const discover = (id: string, authentication?: openid.ClientAuth) =>
    openid.discovery(new URL(issuer), id, undefined, authentication, { [openid.customFetch]: toStack })

  it('refreshes, introspects and revokes', async () => {
    const app = await discover('app', openid.None())
    const api = await discover('api', openid.ClientSecretBasic(apiSecret))
    const user = await createUser(stack)
    const { refresh_token } = await user.login()
    const tokens = await openid.refreshTokenGrant(app, refresh_token)
    expect(tokens.expiresIn()).toBeGreaterThan(250)
    expect(await openid.tokenIntrospection(api, tokens.access_token)).toMatchObject({ active: true, sub: user.id })
    await openid.tokenRevocation(app, tokens.access_token)
    expect(await openid.tokenIntrospection(api, tokens.access_token)).toEqual({ active: false })
    const again = await openid.refreshTokenGrant(app, tokens.refresh_token ?? '')
    await openid.tokenRevocation(app, again.refresh_token ?? '')
    expect(await isLive(again.access_token)).toBe(false)
    await expect(openid.refreshTokenGrant(app, again.refresh_token ?? '')).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })
})
