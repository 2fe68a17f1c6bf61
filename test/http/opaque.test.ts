import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiSecret, audience, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, bodyOf, createUser, form, json, readTokens, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2, env: { CHECK_CACHE_SECONDS: '60', CHECK_STALE_SECONDS: '300' } })
})
afterAll(() => stack.stop())

const verify = (token: string, query = '') => stack.request(`/v1/verify${query}`, bearer(token))
const introspect = async (token: string, client = 'api') =>
  bodyOf(await stack.request('/oauth/introspect', form({ token }, basic(client, apiSecret))))

describe('a client with opaque access tokens', () => {
  it('gets a reference that a gateway and a service can ask about', async () => {
    const user = await createUser(stack)
    const { access_token, session_id } = await user.login('vault')
    expect(access_token).toMatch(/^at1\.[\w-]{94}$/)
    const answer = await verify(access_token)
    expect(answer.status).toBe(204)
    expect(Object.fromEntries(answer.headers)).toMatchObject({ 'x-user-id': user.id, 'x-session-id': session_id })
    expect(await introspect(access_token)).toEqual({
      active: true,
      token_type: 'Bearer',
      iss: 'https://auth.example.com',
      sub: user.id,
      aud: audience,
      client_id: 'vault',
      iat: expect.any(Number),
      exp: expect.any(Number),
      jti: expect.stringMatching(/^[\w-]{22}$/),
      sid: session_id,
      auth_time: expect.any(Number),
      roles: [],
      scope: 'accounts:read accounts:write',
    })
  })

  it('is checked live each time, whatever may be remembered of others', async () => {
    const user = await createUser(stack)
    const first = await user.login('vault')
    for (let times = 0; times < 3; times++)
      expect((await verify(first.access_token)).headers.get('X-Session-Check')).toBe('live')
    await user.login('vault')
    for (let times = 0; times < 3; times++)
      expect(await refusal(await verify(first.access_token))).toBe('401 invalid_token')
  })

  it('keeps rotation, replay, logout and revocation as they are', async () => {
    const user = await createUser(stack)
    const first = await user.login('vault')
    const second = await user.refreshed(first.refresh_token, { attempt: 'once' })
    expect((await user.refreshed(first.refresh_token, { attempt: 'once' })).refresh_token).toBe(second.refresh_token)
    for (const { access_token } of [first, second]) expect((await verify(access_token)).status).toBe(204)

    const revoked = await stack.request('/oauth/revoke', form({ token: first.access_token, client_id: 'vault' }))
    expect(revoked.status).toBe(200)
    expect(await refusal(await verify(first.access_token))).toBe('401 invalid_token')
    expect((await verify(second.access_token)).status).toBe(204)

    expect((await stack.request('/v1/logout', bearer(second.access_token, 'POST'))).status).toBe(204)
    expect(await refusal(await verify(second.access_token))).toBe('401 invalid_token')
    expect(await refusal(await user.refresh(second.refresh_token))).toBe('401 session_unknown')
  })

  it('gets them at the token endpoint as well, with its whole scope or not at all', async () => {
    const user = await createUser(stack)
    const { refresh_token } = await user.login('vault')
    const ask = (fields: Record<string, string>) =>
      stack.request('/oauth/token', form({ grant_type: 'refresh_token', refresh_token, client_id: 'vault', ...fields }))
    expect(await bodyOf(await ask({ scope: 'accounts:read' }))).toMatchObject({ error: 'invalid_scope' })
    expect((await readTokens(await ask({}))).access_token).toMatch(/^at1\./)
  })

  it('has them refused by a service and a gateway of another audience', async () => {
    const { access_token } = await (await createUser(stack)).login('vault')
    expect(await introspect(access_token, 'other-api')).toEqual({ active: false })
    expect((await verify(access_token, `?audience=${encodeURIComponent(audience)}`)).status).toBe(204)
    const other = encodeURIComponent('https://other.example.com')
    expect(await refusal(await verify(access_token, `?audience=${other}`))).toBe('401 invalid_token')
  })

  it('has a forged, an expired or another client’s token refused, forged and expired ones without a store call', async () => {
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login('vault')
    expect((await stack.request('/oauth/revoke', form({ token: access_token, client_id: 'app' }))).status).toBe(400)
    expect((await verify(access_token)).status).toBe(204)
    stack.forgetStoreRequests()
    const forged = access_token.slice(0, 20) + (access_token[20] === 'A' ? 'B' : 'A') + access_token.slice(21)
    expect(await refusal(await verify(forged))).toBe('401 invalid_token')
    expect(await refusal(await verify('at1.'))).toBe('401 invalid_token')
    await stack.advanceClock(301_000)
    expect(await refusal(await verify(access_token))).toBe('401 invalid_token')
    expect(stack.storeRequests).toEqual([])
    await stack.request('/v1/logout', json({ refresh_token }))
  })

  it('is answered 503 when the store is down, never from memory', async () => {
    const { access_token } = await (await createUser(stack)).login('vault')
    expect((await verify(access_token)).status).toBe(204)
    stack.proxy.mode('refuse')
    expect(await refusal(await verify(access_token))).toBe('503 store_unavailable')
    stack.proxy.mode('pass')
  })
})
