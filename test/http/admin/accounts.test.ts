import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createAdministrator, startAdministeredStack, type Administrator } from '../../support/administrator.ts'
import { startStack, type Stack } from '../../support/stack.ts'
import { bearer, createUser, json, password, readTokens, refusal } from '../../support/user.ts'

let stack: Stack
let administrator: Administrator
beforeAll(async () => {
  stack = await startAdministeredStack(2)
  administrator = await createAdministrator(stack)
})
afterAll(() => stack.stop())

const page = z.object({ accounts: z.array(z.looseObject({ username: z.string() })), next: z.string().optional() })
const find = async (query: Record<string, string>) =>
  page.parse(await administrator.done('GET', `/accounts?${new URLSearchParams(query).toString()}`))
const namesOf = ({ accounts }: z.infer<typeof page>) => accounts.map(({ username }) => username)
const login = (username: string, secret = password) =>
  stack.request('/v1/login', json({ username, password: secret, client_id: 'app' }))

describe('an administrator', () => {
  it('finds an account by its name, however it is spelled, and by its id', async () => {
    const user = await createUser(stack)
    const expected = {
      user_id: user.id,
      username: user.username,
      status: 'active',
      roles: [],
      created_at: expect.closeTo(stack.nowMs() / 1000, -1),
    }
    expect(await find({ username: ` ${user.username.toUpperCase()} ` })).toEqual({ accounts: [expected] })
    expect(await administrator.done('GET', `/accounts/${user.id}`)).toEqual(expected)
    expect(await find({ username: 'nobody-of-that-name' })).toEqual({ accounts: [] })
    for (const id of ['AAAAAAAAAAAAAAAAAAAAAA', 'x', '%00', 'a'.repeat(500)])
      expect(await refusal(await administrator.call('GET', `/accounts/${id}`))).toBe('404 not_found')
  })

  it('pages through the accounts, each once, in the order of their names', async () => {
    const made = Array.from({ length: 23 }, (_, i) => `paged-${String(i).padStart(2, '0')}`)
    for (const username of made.toReversed())
      await administrator.done('POST', '/accounts', { username, password, roles: ['reader'] })
    const seen: string[] = []
    let after: string | undefined
    do {
      const found = await find({ prefix: 'PAGED-', limit: '5', ...(after === undefined ? {} : { after }) })
      expect(found.accounts.length).toBeLessThanOrEqual(5)
      seen.push(...namesOf(found))
      after = found.next
    } while (after !== undefined)
    expect(seen).toEqual(made)
    expect(namesOf(await find({ limit: '200' }))).toEqual(expect.arrayContaining(made))
  })

  it.each(['limit=0', 'limit=201', 'limit=x', 'limit=1e2', 'limit=-1'])(
    'is told what is wrong with ?%s',
    async (query) => {
      const answer = await administrator.call('GET', `/accounts?${query}`)
      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ code: 'bad_request', detail: 'Missing or wrong: limit.' })
    },
  )

  it('makes accounts while registration is closed, under the same rules', async () => {
    const closed = await startStack({
      sharedRedis: stack.redis,
      env: { REGISTRATION: 'closed', STORE_BUCKETS: '4', STORE_TIMEOUT_MS: '5000' },
    })
    const create = (body: object) => closed.request('/v1/admin/accounts', json(body, bearerOf(administrator)))
    const answer = await create({ username: ' Made By Hand ', password, roles: ['teller', 'auditor', 'teller'] })
    expect(answer.status).toBe(201)
    expect(await answer.json()).toEqual({
      user_id: expect.stringMatching(/^[\w-]{22}$/),
      username: 'made by hand',
      status: 'active',
      roles: ['teller', 'auditor'],
      created_at: expect.any(Number),
    })
    expect(closed.events.at(-1)).toMatchObject({ event: 'account.created', by: `user:${administrator.id}` })
    expect(await refusal(await create({ username: 'MADE BY HAND', password }))).toBe('409 username_taken')
    expect(await refusal(await create({ username: 'other', password: 'short' }))).toBe('422 password_rejected')
    expect(await refusal(await create({ username: '', password }))).toBe('422 username_rejected')
    for (const roles of [['two words'], [''], ['x'.repeat(65)], 'teller', ['a\nb'], Array.from({ length: 33 }, String)])
      expect(await refusal(await create({ username: 'other', password, roles }))).toBe('400 bad_request')
    const { roles } = JSON.parse(atob((await readTokens(await login('made by hand'))).access_token.split('.')[1] ?? ''))
    expect(roles).toEqual(['teller', 'auditor'])
    await closed.stop()
  })

  it('is not limited in how many, whatever the address', async () => {
    for (let i = 0; i < 25; i++) {
      const body = json(
        { username: `many-${i}`, password: 'short' },
        { ...bearerOf(administrator), 'CF-Connecting-IP': '203.0.113.5' },
      )
      expect((await stack.request('/v1/admin/accounts', body)).status).toBe(422)
    }
  })
})

describe('an account', () => {
  it('that is disabled loses its sessions and opens none; enabled again, it does', async () => {
    const user = await createUser(stack)
    const tokens = [await user.login(), await user.login()]
    const told = await administrator.done('PATCH', `/accounts/${user.id}`, { status: 'disabled' })
    expect(told).toMatchObject({ user_id: user.id, status: 'disabled', ended_sessions: 2 })
    for (const { access_token, refresh_token } of tokens) {
      for (let server = 0; server < 2; server++)
        expect((await stack.request('/v1/verify?fresh=1', bearer(access_token))).status).toBe(401)
      expect(await refusal(await user.refresh(refresh_token))).toBe('401 session_unknown')
    }
    expect(await refusal(await login(user.username))).toBe('401 invalid_credentials')
    expect(await administrator.done('PATCH', `/accounts/${user.id}`, { status: 'disabled' })).toMatchObject({
      ended_sessions: 0,
    })
    await administrator.done('PATCH', `/accounts/${user.id}`, { status: 'active' })
    await user.login()
    const names = stack.events.filter(({ by }) => by === `user:${administrator.id}`).map(({ event }) => event)
    expect(names.slice(-5)).toEqual([
      'account.disabled',
      'session.ended',
      'session.ended',
      'account.disabled',
      'account.enabled',
    ])
  })

  it('that is locked is unlocked by setting it active', async () => {
    const user = await createUser(stack)
    const store = stack.store()
    const attempt = { username: user.username, actor: { by: 'client:app', from: '', requestId: '' } }
    let nowMs = stack.nowMs()
    for (let failures = 0; failures < 100; failures++) {
      nowMs += 900_000
      await store.failLogin({ ...attempt, nowMs })
    }
    expect(await administrator.done('GET', `/accounts/${user.id}`)).toMatchObject({ status: 'locked' })
    expect(await administrator.done('PATCH', `/accounts/${user.id}`, { status: 'active' })).toMatchObject({
      status: 'active',
    })
    await user.login()
  })

  it('gets roles that its running sessions have at once', async () => {
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    const told = await administrator.done('PATCH', `/accounts/${user.id}`, { roles: ['teller', 'auditor'] })
    expect(told).toMatchObject({ roles: ['teller', 'auditor'], status: 'active', ended_sessions: 0 })
    for (let server = 0; server < 2; server++) {
      const checked = await stack.request('/v1/verify?fresh=1', bearer(access_token))
      expect([checked.status, checked.headers.get('X-Roles')]).toEqual([204, 'teller auditor'])
    }
    await user.refreshed(refresh_token)
    expect(await administrator.done('PATCH', `/accounts/${user.id}`, { roles: [] })).toMatchObject({ roles: [] })
  })

  it('takes both in one call, and nothing is no change', async () => {
    const user = await createUser(stack)
    await user.login()
    const told = await administrator.done('PATCH', `/accounts/${user.id}`, { status: 'disabled', roles: ['reader'] })
    expect(told).toMatchObject({ status: 'disabled', roles: ['reader'], ended_sessions: 1 })
    for (const body of [{}, { status: 'locked' }, { status: 'active', roles: 'teller' }])
      expect(await refusal(await administrator.call('PATCH', `/accounts/${user.id}`, body))).toBe('400 bad_request')
    const nobody = await administrator.call('PATCH', '/accounts/AAAAAAAAAAAAAAAAAAAAAA', { status: 'disabled' })
    expect(await refusal(nobody)).toBe('404 not_found')
  })

  it('that is deleted is gone with all of its sessions, and its name is free', async () => {
    const user = await createUser(stack)
    const tokens = [await user.login(), await user.login()]
    await administrator.done('DELETE', `/accounts/${user.id}`)
    for (const { access_token, refresh_token } of tokens) {
      for (let server = 0; server < 2; server++)
        expect((await stack.request('/v1/verify?fresh=1', bearer(access_token))).status).toBe(401)
      expect(await refusal(await user.refresh(refresh_token))).toBe('401 session_unknown')
    }
    expect(await refusal(await login(user.username))).toBe('401 invalid_credentials')
    expect(await refusal(await administrator.call('GET', `/accounts/${user.id}`))).toBe('404 not_found')
    expect(await refusal(await administrator.call('DELETE', `/accounts/${user.id}`))).toBe('404 not_found')
    const again = await administrator.done('POST', '/accounts', { username: user.username, password })
    expect(again['user_id']).not.toBe(user.id)
    for (const { refresh_token } of tokens) expect((await user.refresh(refresh_token)).status).toBe(401)
  })
})

describe('the own account', () => {
  it('cannot be disabled, deleted or demoted: nobody locks themselves out', async () => {
    const own = `/accounts/${administrator.id}`
    for (const body of [
      { status: 'disabled' },
      { roles: [] },
      { roles: ['teller'] },
      { status: 'active', roles: ['x'] },
    ])
      expect(await refusal(await administrator.call('PATCH', own, body))).toBe('409 own_account')
    expect(await refusal(await administrator.call('DELETE', own))).toBe('409 own_account')
    expect(await administrator.done('PATCH', own, { roles: ['admin', 'teller'] })).toMatchObject({
      roles: ['admin', 'teller'],
    })
    await administrator.done('GET', own)
  })
})

function bearerOf({ accessToken }: Administrator): { Authorization: string } {
  return { Authorization: `Bearer ${accessToken}` }
}
