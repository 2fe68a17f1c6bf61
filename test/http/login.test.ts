import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audience, issuer, startStack, type Stack } from '../support/stack.ts'
import { bodyOf, createUser, json, password, readTokens, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack.stop())

const login = (body: Record<string, unknown>) => stack.request('/v1/login', json({ client_id: 'app', ...body }))

describe('signing in', () => {
  it('answers a native client with both tokens, never to be stored by a cache', async () => {
    const user = await createUser(stack)
    const answer = await login({ username: user.username, password })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(answer.headers.get('Set-Cookie')).toBeNull()
    expect(await answer.json()).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 300,
      session_id: expect.stringMatching(/^[\w-]{22}$/),
      scope: 'accounts:read',
      refresh_token: expect.stringMatching(/^rt1\.[\w-]{91}$/),
      refresh_expires_in: 604_800,
    })
  })

  it('issues an access token with every claim of RFC 9068', async () => {
    const user = await createUser(stack)
    const { access_token, session_id } = await user.login()
    expect(decodeProtectedHeader(access_token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.any(String) })
    const claims = decodeJwt(access_token)
    expect(claims).toEqual({
      iss: issuer,
      sub: user.id,
      aud: audience,
      client_id: 'app',
      iat: expect.any(Number),
      exp: Number(claims.iat) + 300,
      jti: expect.stringMatching(/^[\w-]{22}$/),
      sid: session_id,
      auth_time: claims.iat,
      roles: [],
      scope: 'accounts:read',
    })
  })

  it('issues all audiences of a client that has several', async () => {
    const user = await createUser(stack)
    const answer = await login({ username: user.username, password, client_id: 'tablet' })
    expect(decodeJwt((await readTokens(answer)).access_token).aud).toEqual(['https://other.example.com', audience])
  })

  it('finds the user however the name is spelled', async () => {
    const user = await createUser(stack)
    expect((await login({ username: ` ${user.username.toUpperCase()} `, password })).status).toBe(200)
  })

  it('answers an unknown user and a wrong password alike', async () => {
    const user = await createUser(stack)
    const wrong = await login({ username: user.username, password: 'not the right password' })
    const unknown = await login({ username: 'nobody-of-that-name', password: 'not the right password' })
    const bodies = await Promise.all(
      [wrong, unknown].map(async (answer) => Object.assign(await bodyOf(answer), { request_id: '' })),
    )
    expect([wrong.status, unknown.status]).toEqual([401, 401])
    expect(bodies[0]).toEqual(bodies[1])
    expect([...wrong.headers.keys()]).toEqual([...unknown.headers.keys()])
  })

  it('refuses a client that is not registered, and one that signs nobody in', async () => {
    expect(await refusal(await login({ username: 'a', password, client_id: 'nope' }))).toBe('400 unknown_client')
    expect(await refusal(await login({ username: 'a', password, client_id: 'api' }))).toBe('403 client_not_allowed')
  })

  it('does not take a user’s former password for granted when the stored account cannot be read', async () => {
    const user = await createUser(stack)
    const { Redis } = await import('ioredis')
    const direct = new Redis(stack.redis.url, { protocol: 2 })
    for (const key of await direct.keys('account:*'))
      if ((await direct.get(key))?.includes(user.username)) await direct.set(key, 'broken')
    direct.disconnect()
    expect(await refusal(await login({ username: user.username, password }))).toBe('503 store_unavailable')
  })
})
