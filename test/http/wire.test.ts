import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, type Stack } from '../support/stack.ts'
import { bearer, bodyOf, createUser, json, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack.stop())

describe('every answer', () => {
  it('names its request, by the caller’s own id if that is a decent one', async () => {
    const made = (await stack.request('/healthz')).headers.get('X-Request-Id')
    expect(made).toMatch(/^[\w-]{36}$/)
    const own = await stack.request('/healthz', { headers: { 'X-Request-Id': 'trace-123' } })
    expect(own.headers.get('X-Request-Id')).toBe('trace-123')
    const bad = await stack.request('/healthz', { headers: { 'X-Request-Id': 'a"}{"b' } })
    expect(bad.headers.get('X-Request-Id')).toMatch(/^[\w-]{36}$/)
  })

  it('carries the security headers, HSTS among them on https', async () => {
    const { headers } = await stack.request('/v1/verify')
    expect(headers.get('Strict-Transport-Security')).toBe('max-age=63072000')
    expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
    expect(headers.get('X-Frame-Options')).toBe('DENY')
  })

  it('that refuses is problem+json with a stable code and the request id', async () => {
    const answer = await stack.request('/nowhere')
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(await answer.json()).toEqual({
      type: 'about:blank',
      status: 404,
      code: 'not_found',
      title: 'There is nothing at this address.',
      request_id: answer.headers.get('X-Request-Id'),
    })
  })
})

describe('a request', () => {
  it.each(['access_token', 'refresh_token', 'token', 'password'])('with %s in its address is refused', async (name) => {
    const answer = await stack.request(`/v1/verify?${name}=planted-secret-value`)
    const text = await answer.text()
    expect(answer.status).toBe(400)
    expect(text).toContain('token_in_query')
    expect(text).not.toContain('planted')
  })

  it('with a body that is no JSON is refused', async () => {
    const form = { method: 'POST', body: 'username=a', headers: { 'Content-Type': 'text/plain' } }
    expect(await refusal(await stack.request('/v1/login', form))).toBe('415 unsupported_media_type')
    const broken = { method: 'POST', body: '{"username":', headers: { 'Content-Type': 'application/json' } }
    expect(await refusal(await stack.request('/v1/login', broken))).toBe('400 bad_request')
    for (const body of ['[]', '7', 'null', '"x"'])
      expect(await refusal(await stack.request('/v1/refresh', { ...broken, body }))).toBe('400 bad_request')
  })

  it('with too large a body is refused', async () => {
    const body = { username: 'a', password: 'x'.repeat(20_000) }
    expect(await refusal(await stack.request('/v1/login', json(body)))).toBe('413 body_too_large')
  })
})

describe('the key set', () => {
  it('holds public members only, with kid, use and alg, for caches to keep for five minutes', async () => {
    const answer = await stack.request('/.well-known/jwks.json')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Cache-Control')).toBe('public, max-age=300')
    expect(await answer.json()).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.any(String),
          y: expect.any(String),
          kid: expect.stringMatching(/^[\w-]{43}$/),
          alg: 'ES256',
          use: 'sig',
        },
      ],
    })
  })

  it('is not sent again to who has it', async () => {
    const etag = (await stack.request('/.well-known/jwks.json')).headers.get('ETag') ?? ''
    const again = await stack.request('/.well-known/jwks.json', { headers: { 'If-None-Match': etag } })
    expect(again.status).toBe(304)
    expect((await stack.request('/.well-known/jwks.json', { method: 'HEAD' })).status).toBe(200)
  })

  it('is one and the same for servers that all start on an empty store', async () => {
    const fleet = await startStack({ servers: 5 })
    try {
      const sets = await Promise.all(
        Array.from({ length: 25 }, async () => (await fleet.request('/.well-known/jwks.json')).text()),
      )
      expect(new Set(sets)).toEqual(new Set([sets[0]]))
    } finally {
      await fleet.stop()
    }
  })

  it.each(['EdDSA', 'RS256'])('offers a key for %s when that is configured', async (alg) => {
    const other = await startStack({ env: { SIGNING_ALG: alg } })
    try {
      expect(await bodyOf(await other.request('/.well-known/jwks.json'))).toMatchObject({ keys: [{ alg, use: 'sig' }] })
      const user = await createUser(other)
      const { access_token } = await user.login()
      expect((await other.request('/v1/verify', bearer(access_token))).status).toBe(204)
    } finally {
      await other.stop()
    }
  })
})

describe('the service', () => {
  it('says that it is up and ready', async () => {
    expect((await stack.request('/healthz')).status).toBe(200)
    expect(await bodyOf(await stack.request('/readyz'))).toEqual({ status: 'ready' })
  })

  it('serves nothing on a configuration that is refused, and says why in the log alone', async () => {
    const wrong = await startStack({ env: { ACCESS_TTL_SECONDS: '601', LATCHKEY_SECRET: 'planted-secret-value' } })
    try {
      for (const path of ['/healthz', '/readyz', '/v1/verify', '/.well-known/jwks.json']) {
        const answer = await wrong.request(path)
        expect(await refusal(answer)).toBe('500 misconfigured')
        expect(answer.headers.get('X-Request-Id')).toMatch(/^[\w-]{36}$/)
        expect(answer.headers.get('Cache-Control')).toBe('no-store')
      }
      const log = wrong.printed.join('\n')
      expect(log).toContain('ACCESS_TTL_SECONDS: must be from 30 to 600')
      expect(log).toContain('LATCHKEY_SECRET: must be 32 random bytes')
      expect(log).not.toContain('planted')
      expect(wrong.events).toHaveLength(2)
    } finally {
      await wrong.stop()
    }
  })
})
