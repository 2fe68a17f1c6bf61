import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, webOrigin, type Stack } from '../support/stack.ts'
import { bearer, createUser, json, password } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack.stop())

const preflight = (path: string, origin: string, headers: Record<string, string> = {}) =>
  stack.request(path, {
    method: 'OPTIONS',
    headers: { Origin: origin, 'Access-Control-Request-Method': 'POST', ...headers },
  })

/** The names of an answer's CORS headers. */
function corsHeadersOf(answer: Response): string[] {
  return [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))
}

function listOf(answer: Response, header: string): string[] {
  return (answer.headers.get(header) ?? '').split(',').map((item) => item.trim())
}

describe('a page of a registered origin', () => {
  it('may call with its cookie and read the answer', async () => {
    const user = await createUser(stack)
    const answer = await stack.request('/v1/login', json({ username: user.username, password }, { Origin: webOrigin }))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(webOrigin)
    expect(answer.headers.get('Access-Control-Allow-Credentials')).toBe('true')
    expect(listOf(answer, 'Vary')).toContain('Origin')
    expect(listOf(answer, 'Access-Control-Expose-Headers')).toEqual(['Retry-After', 'WWW-Authenticate', 'X-Request-Id'])
  })

  it('asks once in two hours whether it may', async () => {
    const answer = await preflight('/v1/refresh', webOrigin)
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(webOrigin)
    expect(answer.headers.get('Access-Control-Allow-Credentials')).toBe('true')
    expect(answer.headers.get('Access-Control-Max-Age')).toBe('7200')
    expect(listOf(answer, 'Access-Control-Allow-Methods')).toEqual(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'])
    expect(listOf(answer, 'Access-Control-Allow-Headers')).toEqual(['Authorization', 'Content-Type', 'Idempotency-Key'])
    expect(listOf(answer, 'Vary')).toContain('Origin')
  })

  it('can read every refusal: a wrong body, no such address, a token in the query, a store that is down', async () => {
    const origin = { Origin: webOrigin }
    const refused = [
      await stack.request('/v1/login', json({}, origin)),
      await stack.request('/v1/nothing', { headers: origin }),
      await stack.request('/v1/refresh?token=x', json({}, origin)),
    ]
    expect(refused.map(({ status }) => status)).toEqual([400, 404, 400])
    stack.proxy.mode('refuse')
    const unavailable = await stack.request('/v1/login', json({ username: 'ada', password }, origin))
    stack.proxy.mode('pass')
    expect(unavailable.status).toBe(503)
    for (const answer of [...refused, unavailable]) {
      expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(webOrigin)
      expect(answer.headers.get('Access-Control-Allow-Credentials')).toBe('true')
    }
  })
})

describe('any other page', () => {
  it.each([
    ['a foreign origin', 'https://evil.example.com'],
    ['an origin that only begins like a registered one', `${webOrigin}.evil.example.com`],
    ['another port', `${webOrigin}:8443`],
    ['plain http', webOrigin.replace('https', 'http')],
    ['another case', webOrigin.toUpperCase()],
    ['the null origin', 'null'],
    ['the wildcard', '*'],
  ])('gets no CORS header at all: %s', async (_, origin) => {
    for (const path of ['/v1/login', '/v1/refresh', '/v1/logout', '/v1/accounts']) {
      const asked = await preflight(path, origin)
      expect(asked.status).toBe(405)
      const called = await stack.request(path, json({}, { Origin: origin }))
      for (const answer of [asked, called]) {
        expect(corsHeadersOf(answer)).toEqual([])
        // A shared cache must not hand this answer to a registered origin, or that one's to this.
        expect(listOf(answer, 'Vary')).toContain('Origin')
      }
    }
  })
})

describe('a gateway', () => {
  it('never takes a preflight for consent: OPTIONS at /v1/verify needs a token like any other method', async () => {
    const answer = await preflight('/v1/verify', webOrigin)
    expect(answer.status).toBe(401)
    expect(corsHeadersOf(answer)).toEqual([])
    const { access_token } = await (await createUser(stack)).login()
    expect((await stack.request('/v1/verify', bearer(access_token, 'OPTIONS'))).status).toBe(204)
  })
})

describe('public documents', () => {
  it('are readable from anywhere, without credentials', async () => {
    for (const headers of [{}, { Origin: 'https://anybody.example.org' }, { Origin: webOrigin }]) {
      const answer = await stack.request('/.well-known/jwks.json', { headers })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*')
      expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
    }
    const answer = await preflight('/.well-known/jwks.json', 'https://anybody.example.org')
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
  })
})
