import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAdministrator } from '../../support/administrator.ts'
import { apiSecret, startStack, type Stack } from '../../support/stack.ts'
import { basic, bearer, createUser, json, refusal } from '../../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ servers: 2, env: { STORE_TIMEOUT_MS: '5000' } })
})
afterAll(() => stack.stop())

const calls = [
  ['GET', '/accounts'],
  ['POST', '/accounts'],
  ['GET', '/accounts/AAAAAAAAAAAAAAAAAAAAAA'],
  ['PATCH', '/accounts/AAAAAAAAAAAAAAAAAAAAAA'],
  ['DELETE', '/accounts/AAAAAAAAAAAAAAAAAAAAAA'],
  ['GET', '/users/AAAAAAAAAAAAAAAAAAAAAA/sessions'],
  ['DELETE', '/users/AAAAAAAAAAAAAAAAAAAAAA/sessions'],
  ['DELETE', '/users/AAAAAAAAAAAAAAAAAAAAAA/sessions/AAAAAAAAAAAAAAAAAAAAAA'],
  ['DELETE', '/sessions'],
  ['POST', '/denials'],
  ['GET', '/audit'],
] as const

describe.each(calls)('%s /v1/admin%s', (method, path) => {
  const call = (headers: Record<string, string> = {}) => stack.request(`/v1/admin${path}`, { method, headers })

  it('is for nobody without a token, and for no service', async () => {
    const answer = await call()
    expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer')
    expect(await refusal(answer)).toBe('401 token_missing')
    expect(await refusal(await call(basic('idp', apiSecret)))).toBe('401 token_missing')
    expect(await refusal(await call({ Authorization: 'Bearer rubbish' }))).toBe('401 invalid_token')
  })

  it('is for no user without the role', async () => {
    const user = await createUser(stack)
    const { access_token } = await user.login()
    const answer = await call({ Authorization: `Bearer ${access_token}` })
    expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer error="insufficient_scope"')
    expect(await refusal(answer)).toBe('403 forbidden')
    expect(stack.events.at(-1)).toMatchObject({ event: 'admin.refused', user_id: user.id, path: `/v1/admin${path}` })
  })

  it('says 503 while the store is away, and which methods there are', async () => {
    const { accessToken } = await createAdministrator(stack)
    stack.proxy.mode('refuse')
    const answer = await call({ Authorization: `Bearer ${accessToken}` })
    stack.proxy.mode('pass')
    expect(answer.headers.get('Retry-After')).toBe('1')
    expect(await refusal(answer)).toBe('503 store_unavailable')
    const wrong = await stack.request(`/v1/admin${path}`, { method: 'PUT' })
    expect(wrong.headers.get('Allow')).toContain(method)
    expect(await refusal(wrong)).toBe('405 method_not_allowed')
  })
})

describe('the role of an administrator', () => {
  it('is the one that the session has now: taken away it opens nothing, on any server, at once', async () => {
    const [one, other] = [await createAdministrator(stack), await createAdministrator(stack, 'teller admin')]
    for (let server = 0; server < 2; server++) await one.done('GET', '/accounts')
    await other.done('PATCH', `/accounts/${one.id}`, { roles: ['teller'] })
    for (let server = 0; server < 2; server++)
      expect(await refusal(await one.call('GET', '/accounts'))).toBe('403 forbidden')
    await other.done('PATCH', `/accounts/${one.id}`, { roles: ['admin'] })
    await one.done('GET', '/accounts')
  })

  it('is not one that looks like it', async () => {
    for (const roles of ['administrator', 'Admin', 'admin2 not-admin']) {
      const almost = await createAdministrator(stack, roles)
      expect(await refusal(await almost.call('GET', '/accounts'))).toBe('403 forbidden')
    }
  })

  it('ends with the session', async () => {
    const administrator = await createAdministrator(stack)
    await stack.request('/v1/logout', bearer(administrator.accessToken, 'POST'))
    expect(await refusal(await administrator.call('GET', '/accounts'))).toBe('401 invalid_token')
  })
})

it('a body that is no JSON, is too long, or has members that nobody knows changes nothing', async () => {
  const administrator = await createAdministrator(stack)
  const user = await createUser(stack)
  const path = `/v1/admin/accounts/${user.id}`
  const headers = { Authorization: `Bearer ${administrator.accessToken}` }
  const patch = (body: RequestInit) => stack.request(path, { ...body, method: 'PATCH' })
  expect(await refusal(await patch({ body: '{}', headers }))).toBe('415 unsupported_media_type')
  expect(await refusal(await patch(json('{', headers)))).toBe('400 bad_request')
  expect(await refusal(await patch(json({ status: 'disabled', x: 'x'.repeat(20_000) }, headers)))).toBe(
    '413 body_too_large',
  )
  expect(await refusal(await patch(json({ status: 'disabled', role: 'x' }, headers)))).toBe('400 bad_request')
  expect(await administrator.done('GET', `/accounts/${user.id}`)).toMatchObject({ status: 'active' })
})
