import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createVerifier } from '../../../src/verifier/verifier.ts'
import { createAdministrator, startAdministeredStack } from '../../support/administrator.ts'
import { apiSecret, audience, issuer, type Stack } from '../../support/stack.ts'
import { basic, bearer, bodyOf, createUser, form, json, readTokens, refusal } from '../../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startAdministeredStack(2)
})
afterAll(() => stack.stop())

const idp = basic('idp', apiSecret)
const post = (path: string, body: unknown, headers: Record<string, string> = idp) =>
  stack.request(`/v1/admin${path}`, json(body, headers))
const open = async (body: object) => readTokens(await post('/sessions', body))
const verify = (token: string) => stack.request('/v1/verify?fresh=1', bearer(token))
const refresh = (token: string, clientId = 'app') =>
  stack.request('/v1/refresh', json({ refresh_token: token, client_id: clientId }))
const introspect = async (token: string) =>
  bodyOf(await stack.request('/oauth/introspect', form({ token }, basic('api', apiSecret))))

let subjects = 0
/** Somebody whom the login system has never sent before. */
const somebody = () => `auth0|${subjects++}@example.com`

describe('a session for another login system', () => {
  it('is opened with tokens that name the subject, its roles and how it was authenticated', async () => {
    const subject = somebody()
    const body = { subject, roles: ['customer', 'teller'], amr: ['hwk', 'user', 'hwk'], device: 'Passkey on a phone' }
    const answer = await post('/sessions', body)
    expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    const told = await bodyOf(answer)
    expect(told).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 300,
      session_id: expect.stringMatching(/^[\w-]{22}$/),
      scope: 'accounts:read',
      refresh_token: expect.stringMatching(/^rt1\./),
      refresh_expires_in: 604_800,
      user_id: `idp:${subject}`,
    })
    expect(decodeJwt(String(told['access_token']))).toMatchObject({
      iss: issuer,
      sub: `idp:${subject}`,
      client_id: 'app',
      sid: told['session_id'],
      roles: ['customer', 'teller'],
      amr: ['hwk', 'user'],
    })
    expect(stack.events.at(-1)).toMatchObject({ event: 'session.opened', subject: `idp:${subject}`, by: 'client:idp' })
  })

  it('is a session as any other: verified, introspected, listed, refreshed, and ended by logout', async () => {
    const subject = somebody()
    const sub = `idp:${subject}`
    const tokens = await open({ subject, roles: ['customer'], amr: ['pwd', 'otp'] })
    const checked = await verify(tokens.access_token)
    expect([checked.status, checked.headers.get('X-User-Id'), checked.headers.get('X-Roles')]).toEqual([
      204,
      sub,
      'customer',
    ])
    expect(await introspect(tokens.access_token)).toMatchObject({
      active: true,
      sub,
      roles: ['customer'],
      amr: ['pwd', 'otp'],
    })
    const listed = await bodyOf(await stack.request('/v1/sessions', bearer(tokens.access_token)))
    expect(listed).toMatchObject({
      sessions: [{ session_id: tokens.session_id, subject: sub, amr: ['pwd', 'otp'], current: true }],
    })
    const next = await readTokens(await refresh(tokens.refresh_token))
    expect(decodeJwt(next.access_token)).toMatchObject({
      sub,
      roles: ['customer'],
      amr: ['pwd', 'otp'],
      sid: tokens.session_id,
    })
    const byGrant = form({ grant_type: 'refresh_token', refresh_token: next.refresh_token, client_id: 'app' })
    const last = await readTokens(await stack.request('/oauth/token', byGrant))
    expect((await stack.request('/v1/logout', json({ refresh_token: last.refresh_token }))).status).toBe(204)
    for (const { access_token } of [tokens, next, last]) {
      expect((await verify(access_token)).status).toBe(401)
      expect(await introspect(access_token)).toEqual({ active: false })
    }
  })

  it('is verified by microservices, by signature and by feed', async () => {
    const { access_token } = await open({ subject: somebody(), amr: ['face'] })
    const verifier = createVerifier({
      issuer,
      audience,
      revocation: 'feed',
      clientId: 'api',
      clientSecret: apiSecret,
      background: false,
      fetch: (url, init) => stack.request(url.slice(issuer.length), init),
    })
    expect(await verifier.verify(access_token)).toMatchObject({
      ok: true,
      claims: { sub: /^idp:/, amr: ['face'], roles: [] },
    })
  })

  it('has opaque tokens where its client has', async () => {
    const subject = somebody()
    const tokens = await open({ subject, client_id: 'vault', amr: ['pin'] })
    expect(tokens.access_token).toMatch(/^at1\./)
    expect((await verify(tokens.access_token)).headers.get('X-User-Id')).toBe(`idp:${subject}`)
    expect(await introspect(tokens.access_token)).toMatchObject({
      sub: `idp:${subject}`,
      client_id: 'vault',
      amr: ['pin'],
    })
    const revoked = await stack.request('/oauth/revoke', form({ token: tokens.access_token, client_id: 'vault' }))
    expect(revoked.status).toBe(200)
    expect((await verify(tokens.access_token)).status).toBe(401)
    await readTokens(await refresh(tokens.refresh_token, 'vault'))
  })

  it('is one of so many that a user may have: a newer one ends the oldest', async () => {
    const subject = somebody()
    const tokens = [await open({ subject }), await open({ subject }), await open({ subject })]
    const live = await Promise.all(tokens.map(async ({ access_token }) => (await verify(access_token)).status))
    expect(live).toEqual([401, 204, 204])
    expect(await refusal(await refresh(tokens[0]?.refresh_token ?? ''))).toBe('401 session_superseded')
  })

  it('has the roles of the newest one', async () => {
    const subject = somebody()
    const first = await open({ subject, roles: ['customer'] })
    await open({ subject, roles: ['teller'] })
    expect((await verify(first.access_token)).headers.get('X-Roles')).toBe('teller')
  })

  it('is ended by the service that opened it, with all others of the subject', async () => {
    const subject = somebody()
    const [one, two, other] = [await open({ subject }), await open({ subject }), await open({ subject: somebody() })]
    for (let times = 0; times < 2; times++) expect((await post('/sessions/end', { subject })).status).toBe(204)
    for (const { access_token, refresh_token } of [one, two]) {
      expect((await verify(access_token)).status).toBe(401)
      expect(await refusal(await refresh(refresh_token))).toBe('401 session_unknown')
    }
    expect((await verify(other.access_token)).status).toBe(204)
    expect(stack.events.findLast(({ event }) => event === 'session.ended')).toMatchObject({ by: 'client:idp' })
  })

  it('is seen, ended and denied by administrators under its sub', async () => {
    const administrator = await createAdministrator(stack)
    const subject = somebody()
    const path = `/users/${encodeURIComponent(`idp:${subject}`)}/sessions`
    const [one, two] = [await open({ subject, device: 'one' }), await open({ subject, device: 'two' })]
    const { sessions } = await administrator.done('GET', path)
    expect(sessions).toMatchObject(expect.toSatisfy((list: unknown[]) => list.length === 2))
    const { jti } = decodeJwt(two.access_token)
    await administrator.done('POST', '/denials', { user_id: `idp:${subject}`, jti })
    expect((await verify(two.access_token)).status).toBe(401)
    await administrator.done('DELETE', `${path}/${one.session_id}`)
    expect((await verify(one.access_token)).status).toBe(401)
    await readTokens(await refresh(two.refresh_token))
    await administrator.done('DELETE', path)
    expect((await refresh(two.refresh_token)).status).toBe(401)
    const trail = await administrator.done(
      'GET',
      `/audit?${new URLSearchParams({ user_id: `idp:${subject}` }).toString()}`,
    )
    const names = JSON.stringify(trail['events'])
    for (const event of ['session.opened', 'session.ended', 'token.denied']) expect(names).toContain(event)
    expect(names).toContain(`app for idp:${subject}`)
  })
})

describe('who may open one', () => {
  it('is a service to which the configuration entrusts it, with its secret', async () => {
    const body = { subject: somebody() }
    for (const path of ['/sessions', '/sessions/end']) {
      expect(await refusal(await post(path, body, basic('api', apiSecret)))).toBe('403 client_not_allowed')
      expect(await refusal(await post(path, body, basic('idp', 'wrong')))).toBe('401 invalid_client')
      expect(await refusal(await post(path, body, basic('app', '')))).toBe('401 invalid_client')
      expect(await refusal(await post(path, body, {}))).toBe('401 invalid_client')
      const { accessToken } = await createAdministrator(stack)
      expect(await refusal(await post(path, body, { Authorization: `Bearer ${accessToken}` }))).toBe(
        '401 invalid_client',
      )
    }
  })

  it('opens none for a browser, whose refresh token may stand in no JSON, nor for a client that is none', async () => {
    const attempt = async (client_id: string) => refusal(await post('/sessions', { subject: somebody(), client_id }))
    expect(await attempt('web')).toBe('403 client_not_allowed')
    expect(await attempt('api')).toBe('403 client_not_allowed')
    expect(await attempt('nope')).toBe('400 unknown_client')
  })

  it('makes no administrator, with whatever roles', async () => {
    const answer = await post('/sessions', { subject: somebody(), roles: ['teller', 'admin'] })
    expect(await bodyOf(answer)).toMatchObject({
      status: 400,
      code: 'bad_request',
      detail: expect.stringContaining('admin'),
    })
    // Not even if the store had been made to say so.
    const subject = somebody()
    const { access_token } = await open({ subject, roles: ['teller'] })
    const { Redis } = await import('ioredis')
    const direct = new Redis(stack.redis.url, { protocol: 2 })
    for (const key of await direct.keys('s:*')) {
      const record = await direct.get(key)
      if (record?.includes(`idp:${subject}`)) await direct.set(key, record.replace('"teller"', '"admin"'), 'KEEPTTL')
    }
    direct.disconnect()
    expect((await verify(access_token)).headers.get('X-Roles')).toBe('admin')
    expect(await refusal(await stack.request('/v1/admin/accounts', bearer(access_token)))).toBe('403 forbidden')
  })

  it.each([
    [{}],
    [{ subject: '' }],
    [{ subject: 'x'.repeat(129) }],
    [{ subject: 'two words' }],
    [{ subject: 'line\nbreak' }],
    [{ subject: 'müller' }],
    [{ subject: 'x', amr: ['password'] }],
    [{ subject: 'x', amr: 'pwd' }],
    [{ subject: 'x', roles: ['a b'] }],
    [{ subject: 'x', user_id: 'y' }],
  ])('sends %j and is refused', async (body) => {
    expect(await refusal(await post('/sessions', body))).toBe('400 bad_request')
  })

  it('cannot take anybody else’s place: a subject is its own, and no user’s', async () => {
    const user = await createUser(stack)
    const mine = await user.login()
    const tokens = await open({ subject: user.id, roles: ['teller'] })
    expect(decodeJwt(tokens.access_token).sub).toBe(`idp:${user.id}`)
    expect((await verify(mine.access_token)).headers.get('X-User-Id')).toBe(user.id)
    await post('/sessions/end', { subject: user.id })
    expect((await verify(mine.access_token)).status).toBe(204)
    expect((await verify(tokens.access_token)).status).toBe(401)
  })

  it('signs somebody in with no password here: there is none to change', async () => {
    const { access_token } = await open({ subject: somebody() })
    const headers = { Authorization: `Bearer ${access_token}` }
    const change = json({ current_password: 'x', new_password: 'correct horse battery staple' }, headers)
    expect(await refusal(await stack.request('/v1/password', change))).toBe('403 client_not_allowed')
  })
})

it('while the store is away, no session is opened and none is said to have ended', async () => {
  stack.proxy.mode('refuse')
  const answers = [await post('/sessions', { subject: 'x' }), await post('/sessions/end', { subject: 'x' })]
  stack.proxy.mode('pass')
  for (const answer of answers) expect(await refusal(answer)).toBe('503 store_unavailable')
})
