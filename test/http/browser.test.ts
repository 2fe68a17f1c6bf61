import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStack, webOrigin, type Stack } from '../support/stack.ts'
import { bearer, bodyOf, createUser, json, password, refusal, type User } from '../support/user.ts'

const attributes = 'Path=/; HttpOnly; Secure; SameSite=Strict'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2 })
})
afterAll(() => stack.stop())

const login = (user: User, headers: Record<string, string> = { Origin: webOrigin }) =>
  stack.request('/v1/login', json({ username: user.username, password }, headers))

const post = (path: string, cookie: string | undefined, headers: Record<string, string> = { Origin: webOrigin }) =>
  stack.request(path, { method: 'POST', headers: { ...headers, ...(cookie && { Cookie: cookie }) } })

/** `name=value` of the cookie that an answer sets. */
function cookieOf(answer: Response): string {
  return answer.headers.get('Set-Cookie')?.split(';')[0] ?? ''
}

describe('a browser', () => {
  it('gets its refresh token as a __Host- cookie with exactly the right attributes', async () => {
    const answer = await login(await createUser(stack))
    expect(answer.status).toBe(200)
    expect(normalized(answer.headers.get('Set-Cookie'))).toEqual(
      normalized(`${cookieOf(answer)}; Max-Age=604800; ${attributes}`),
    )
    expect(cookieOf(answer)).toMatch(/^__Host-refresh_token=rt1\.[\w-]{91}$/)
  })

  it('never sees the refresh token in a body', async () => {
    const signedIn = await login(await createUser(stack))
    const refreshed = await post('/v1/refresh', cookieOf(signedIn))
    for (const answer of [signedIn, refreshed]) {
      expect(Object.keys(await bodyOf(answer)).toSorted()).toEqual([
        'access_token',
        'expires_in',
        'session_id',
        'token_type',
      ])
      expect(answer.headers.get('Cache-Control')).toBe('no-store')
    }
  })

  it('refreshes with its cookie alone and gets the next one', async () => {
    const signedIn = await login(await createUser(stack))
    const refreshed = await post('/v1/refresh', cookieOf(signedIn))
    expect(refreshed.status).toBe(200)
    expect(cookieOf(refreshed)).not.toBe(cookieOf(signedIn))
    expect((await post('/v1/refresh', cookieOf(refreshed))).status).toBe(200)
  })

  it('signs out with its cookie alone: it is cleared with the attributes it was set with', async () => {
    const signedIn = await login(await createUser(stack))
    const answer = await post('/v1/logout', cookieOf(signedIn))
    expect(answer.status).toBe(204)
    expect(normalized(answer.headers.get('Set-Cookie'))).toEqual(
      normalized(`__Host-refresh_token=; Max-Age=0; ${attributes}`),
    )
    expect(answer.headers.get('Clear-Site-Data')).toBe('"cache", "storage"')
    expect(await refusal(await post('/v1/refresh', cookieOf(signedIn)))).toBe('401 session_unknown')
  })

  it('can sign out twice, and without a cookie', async () => {
    const signedIn = await login(await createUser(stack))
    for (const cookie of [cookieOf(signedIn), cookieOf(signedIn), undefined])
      expect((await post('/v1/logout', cookie)).status).toBe(204)
  })

  it('signs out by its cookie even when the body has a token that means nothing', async () => {
    for (const refresh_token of ['', 'rubbish']) {
      const signedIn = await login(await createUser(stack))
      const body = json({ refresh_token }, { Origin: webOrigin, Cookie: cookieOf(signedIn) })
      expect((await stack.request('/v1/logout', body)).status).toBe(204)
      expect(await refusal(await post('/v1/refresh', cookieOf(signedIn)))).toBe('401 session_unknown')
    }
  })

  it('can sign out when all of its tokens have run out', async () => {
    const answer = await post('/v1/logout', undefined, { Origin: webOrigin, Authorization: 'Bearer expired' })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Clear-Site-Data')).toBe('"cache", "storage"')
  })

  it('keeps its cookie when a refresh is refused, since it may already hold a newer one', async () => {
    const user = await createUser(stack)
    const older = await login(user)
    await login(user)
    const refused = await post('/v1/refresh', cookieOf(older))
    expect(await refusal(refused)).toBe('401 session_superseded')
    expect(refused.headers.get('Set-Cookie')).toBeNull()
  })

  it.each([
    ['a foreign origin', { Origin: 'https://evil.example.com' }],
    ['an origin that only begins like its own', { Origin: `${webOrigin}.evil.example.com` }],
    ['another port of its own host', { Origin: `${webOrigin}:8443` }],
    ['plain http', { Origin: webOrigin.replace('https', 'http') }],
    ['the null origin', { Origin: 'null' }],
    ['no origin', {}],
  ])('is refused from %s, and its session lives on', async (_, headers) => {
    const user = await createUser(stack)
    const cookie = cookieOf(await login(user))
    expect(await refusal(await login(user, headers))).toBe('403 origin_not_allowed')
    expect(await refusal(await post('/v1/refresh', cookie, headers))).toBe('403 origin_not_allowed')
    expect(await refusal(await post('/v1/logout', cookie, headers))).toBe('403 origin_not_allowed')
    expect((await post('/v1/refresh', cookie)).status).toBe(200)
  })

  it('cannot use another browser client’s session from that client’s own origin', async () => {
    const cookie = cookieOf(await login(await createUser(stack)))
    const answer = await post('/v1/refresh', cookie, { Origin: 'https://admin.example.com' })
    expect(await refusal(answer)).toBe('401 refresh_invalid')
    expect((await post('/v1/refresh', cookie)).status).toBe(200)
  })

  it('cannot have its refresh token exchanged for one in a body', async () => {
    const cookie = cookieOf(await login(await createUser(stack)))
    const stolen = cookie.split('=')[1]
    for (const client_id of [undefined, 'web', 'app'])
      expect(await refusal(await stack.request('/v1/refresh', json({ refresh_token: stolen, client_id })))).toBe(
        '401 refresh_invalid',
      )
    expect((await post('/v1/refresh', cookie)).status).toBe(200)
  })

  it('is told 405 when it comes with GET', async () => {
    for (const path of ['/v1/login', '/v1/refresh', '/v1/logout', '/v1/password', '/v1/accounts']) {
      const answer = await stack.request(path, { headers: { Origin: webOrigin } })
      expect(await refusal(answer)).toBe('405 method_not_allowed')
      expect(answer.headers.get('Allow')).toBe('POST')
    }
  })

  it('ends the session of its cookie even when it shows the access token of an older one', async () => {
    const user = await createUser(stack)
    const older = await bodyOf(await login(user))
    const newer = await login(user)
    const { access_token } = await bodyOf(newer.clone())
    const headers = { Origin: webOrigin, Authorization: `Bearer ${String(older['access_token'])}` }
    expect((await post('/v1/logout', cookieOf(newer), headers)).status).toBe(204)
    expect(await refusal(await stack.request('/v1/verify?fresh=1', bearer(String(access_token))))).toBe(
      '401 invalid_token',
    )
  })

  it('gets a cookie without prefix and Secure on a plain-http localhost', async () => {
    const origin = 'http://localhost:5173'
    const clients = [{ id: 'web', kind: 'browser', origins: [origin], audiences: [origin] }]
    const local = await startStack({ env: { ISSUER: 'http://localhost:8787', CLIENTS: JSON.stringify(clients) } })
    try {
      await local.request('/v1/accounts', json({ username: 'ada', password }))
      const answer = await local.request('/v1/login', json({ username: 'ada', password }, { Origin: origin }))
      expect(normalized(answer.headers.get('Set-Cookie'))).toEqual(
        normalized(`${cookieOf(answer)}; Max-Age=604800; Path=/; HttpOnly; SameSite=Strict`),
      )
      expect(cookieOf(answer)).toMatch(/^refresh_token=/)
      expect(answer.headers.get('Strict-Transport-Security')).toBeNull()
    } finally {
      await local.stop()
    }
  })
})

/** The parts of a Set-Cookie header in a fixed order: their order means nothing. */
function normalized(header: string | null): string[] {
  return (header ?? '').split('; ').toSorted()
}
