import { decodeJwt, SignJWT, UnsecuredJWT, exportSPKI, generateKeyPair, importJWK, type JWK } from 'jose'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { signWithRing } from '../support/ring.ts'
import { audience, issuer, startStack, type Stack } from '../support/stack.ts'
import { bearer, createUser, refusal, type Tokens, type User } from '../support/user.ts'

let stack: Stack
let user: User
let tokens: Tokens

beforeAll(async () => {
  stack = await startStack()
  user = await createUser(stack)
  tokens = await user.login()
})
afterAll(() => stack.stop())

const verify = (token: string, query = '') => stack.request(`/v1/verify${query}`, bearer(token))

async function publishedKey(): Promise<JWK & { kid: string }> {
  const answer = await stack.request('/.well-known/jwks.json')
  const [key] = z
    .object({ keys: z.tuple([z.looseObject({ kty: z.string(), kid: z.string() })]) })
    .parse(await answer.json()).keys
  return key
}

describe('verifying an access token', () => {
  it('answers a gateway with who it is', async () => {
    const answer = await verify(tokens.access_token)
    expect(answer.status).toBe(204)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-user-id': user.id,
      'x-session-id': tokens.session_id,
      'x-roles': '',
      'x-session-check': 'live',
      'cache-control': 'no-store',
    })
  })

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD'])('answers %s as it does GET', async (method) => {
    expect((await stack.request('/v1/verify', bearer(tokens.access_token, method))).status).toBe(204)
  })

  it('remembers a yes for a second, says so, and asks again when told to', async () => {
    await verify(tokens.access_token, '?fresh=1')
    expect((await verify(tokens.access_token)).headers.get('X-Session-Check')).toBe('cached')
    expect((await verify(tokens.access_token, '?fresh=1')).headers.get('X-Session-Check')).toBe('live')
    await stack.advanceClock(1000)
    expect((await verify(tokens.access_token)).headers.get('X-Session-Check')).toBe('live')
  })

  it('reports the roles that the session has now', async () => {
    const direct = new Redis(stack.redis.url, { protocol: 2 })
    const key = `s:{0}:${user.id}`
    const record = JSON.parse((await direct.get(key)) ?? '')
    await direct.set(key, JSON.stringify(['teller auditor', ...record.slice(1)]), 'KEEPTTL')
    direct.disconnect()
    expect((await verify(tokens.access_token, '?fresh=1')).headers.get('X-Roles')).toBe('teller auditor')
  })

  it('takes a token for one audience only when that audience asks', async () => {
    expect((await verify(tokens.access_token, `?audience=${encodeURIComponent(audience)}`)).status).toBe(204)
    const other = encodeURIComponent('https://other.example.com')
    expect(await refusal(await verify(tokens.access_token, `?audience=${other}`))).toBe('401 invalid_token')
  })

  it('challenges a request without credentials with nothing but the scheme', async () => {
    const answer = await stack.request('/v1/verify')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer')
  })

  it('challenges a bad token with invalid_token', async () => {
    const answer = await verify('not.a.token')
    expect(answer.status).toBe(401)
    expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"')
  })
})

describe('a token that is not what it claims', () => {
  /** Signs the good token's claims, with changes, by a key of the caller's. */
  async function forge(
    key: Parameters<SignJWT['sign']>[0],
    header: Record<string, unknown> & { alg: string },
    changes: Record<string, unknown> = {},
  ): Promise<string> {
    return new SignJWT({ ...decodeJwt(tokens.access_token), ...changes })
      .setProtectedHeader({ typ: 'at+jwt', ...header })
      .sign(key)
  }

  it('is refused when it was signed by another key under a known kid', async () => {
    const { kid } = await publishedKey()
    const { privateKey } = await generateKeyPair('ES256')
    expect(await refusal(await verify(await forge(privateKey, { alg: 'ES256', kid })))).toBe('401 invalid_token')
    expect(await refusal(await verify(await forge(privateKey, { alg: 'ES256' })))).toBe('401 invalid_token')
  })

  it('is refused when it brings its own key along, and nothing is fetched', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const { kid } = await publishedKey()
    const jwk = await crypto.subtle.exportKey('jwk', publicKey)
    stack.forgetStoreRequests()
    for (const header of [{ jwk }, { jku: 'http://127.0.0.1:1/jwks' }, { x5u: 'http://127.0.0.1:1/cert' }])
      expect(await refusal(await verify(await forge(privateKey, { alg: 'ES256', kid, ...header })))).toBe(
        '401 invalid_token',
      )
    expect(stack.storeRequests).toEqual([])
  })

  it('is refused without a signature', async () => {
    const token = new UnsecuredJWT(decodeJwt(tokens.access_token)).encode()
    expect(await refusal(await verify(token))).toBe('401 invalid_token')
  })

  it('is refused when the public key was used as a shared secret', async () => {
    const jwk = await publishedKey()
    const key = await importJWK(jwk, 'ES256', { extractable: true })
    const pem = key instanceof Uint8Array ? '' : await exportSPKI(key)
    for (const secret of [pem, JSON.stringify(jwk)]) {
      const token = await forge(new TextEncoder().encode(secret), { alg: 'HS256', kid: jwk.kid })
      expect(await refusal(await verify(token))).toBe('401 invalid_token')
    }
  })

  it('is refused when its algorithm is not the key’s own', async () => {
    const { kid } = await publishedKey()
    for (const alg of ['ES384', 'RS256', 'EdDSA']) {
      const { privateKey } = await generateKeyPair(alg)
      expect(await refusal(await verify(await forge(privateKey, { alg, kid })))).toBe('401 invalid_token')
    }
  })

  it.each([1, 2])('is refused when any part of it was changed (%i)', async (part) => {
    const parts = tokens.access_token.split('.')
    const changed = parts[part] ?? ''
    for (const at of [0, Math.floor(changed.length / 2), changed.length - 2]) {
      const letter = changed[at] === 'A' ? 'B' : 'A'
      parts[part] = changed.slice(0, at) + letter + changed.slice(at + 1)
      expect(await refusal(await verify(parts.join('.')))).toBe('401 invalid_token')
    }
  })

  it('is refused once it has expired', async () => {
    const other = await createUser(stack)
    const { access_token } = await other.login()
    await stack.advanceClock(270_000)
    expect((await verify(access_token)).status).toBe(204)
    await stack.advanceClock(30_000)
    expect(await refusal(await verify(access_token))).toBe('401 invalid_token')
  })
})

describe('a token that the service’s own key signed', () => {
  it.each([
    ['of another type', { typ: 'JWT' }, {}],
    ['without a type', { typ: undefined }, {}],
    ['of another issuer', {}, { iss: 'https://evil.example.com' }],
    ['for another audience', {}, { aud: 'https://elsewhere.example.com' }],
    ['without a session', {}, { sid: undefined }],
    ['without an expiry', {}, { exp: undefined }],
  ])('is refused when it is %s', async (_, header, claims) => {
    const good = decodeJwt((await user.login()).access_token)
    const sign = (h: object, c: object) =>
      signWithRing(stack.redis.url, { typ: 'at+jwt', ...h }, { ...good, iss: issuer, ...c })
    expect((await verify(await sign({}, {}))).status).toBe(204)
    expect(await refusal(await verify(await sign(header, claims)))).toBe('401 invalid_token')
  })
})
