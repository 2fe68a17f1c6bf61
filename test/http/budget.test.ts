import { SignJWT, decodeJwt, generateKeyPair } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiSecret, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, createUser, form, json, password, type User } from '../support/user.ts'

let stack: Stack
let user: User

beforeAll(async () => {
  stack = await startStack()
  user = await createUser(stack)
  // Warm: the ring is in the isolate, the scripts are in the store.
  const { refresh_token, access_token } = await user.login()
  await user.refreshed(refresh_token)
  await stack.request('/v1/verify?fresh=1', bearer(access_token))
  await stack.request('/oauth/revoke', form({ token: access_token, client_id: 'app' }))
  await stack.request('/v1/logout', json({ refresh_token }))
})
afterAll(() => stack.stop())

/** The first word of each command, one list for each HTTP round trip that the work cost. */
async function tripsOf(work: () => Promise<Response>, status: number): Promise<string[][]> {
  stack.forgetStoreRequests()
  const answer = await work()
  expect(answer.status).toBe(status)
  return stack.storeRequests.map(({ commands }) => commands.map(([name = '']) => name.toLowerCase()))
}

const login = (headers = {}) =>
  stack.request('/v1/login', json({ username: user.username, password, client_id: 'app' }, headers))
const verify =
  (token: string, query = '') =>
  () =>
    stack.request(`/v1/verify${query}`, bearer(token))

describe('round trips to the store', () => {
  it('for a login: two, the throttle of account and address included', async () => {
    expect(await tripsOf(login, 200)).toEqual([['mget'], ['evalsha']])
    const fromAddress = () => login({ 'CF-Connecting-IP': '203.0.113.9' })
    expect(await tripsOf(fromAddress, 200)).toEqual([['mget', 'get'], ['evalsha']])
  })

  it('for a refresh: one', async () => {
    const { refresh_token } = await user.login()
    expect(await tripsOf(() => user.refresh(refresh_token), 200)).toEqual([['evalsha']])
  })

  it('for a logout: one, by either token', async () => {
    const first = await user.login()
    const body = json({ refresh_token: first.refresh_token }, { Authorization: `Bearer ${first.access_token}` })
    expect(await tripsOf(() => stack.request('/v1/logout', body), 204)).toEqual([['evalsha']])
    const second = await user.login()
    const byAccessToken = () => stack.request('/v1/logout', bearer(second.access_token, 'POST'))
    expect(await tripsOf(byAccessToken, 204)).toEqual([['evalsha']])
  })

  it('for a change of the password: four, to check the token, find the account, read it and change it', async () => {
    const owner = await createUser(stack)
    const { access_token } = await owner.login()
    const headers = { Authorization: `Bearer ${access_token}`, 'CF-Connecting-IP': '203.0.113.9' }
    const change = (current_password: string, new_password: string) => () =>
      stack.request('/v1/password', json({ current_password, new_password }, headers))
    const other = 'eleven purple kettles sing'
    await change(password, other)()
    const trips = [['mget'], ['get'], ['mget', 'get'], ['evalsha']]
    expect(await tripsOf(change(other, password), 204)).toEqual(trips)
    expect(await tripsOf(change(password, 'short'), 422)).toEqual(trips.slice(0, 3))
  })

  it('for a live check: one MGET of three keys, and none on a cached answer', async () => {
    const { access_token } = await user.login()
    expect(await tripsOf(verify(access_token), 204)).toEqual([['mget']])
    expect(stack.storeRequests[0]?.commands[0]).toHaveLength(4)
    expect(await tripsOf(verify(access_token), 204)).toEqual([])
  })

  it('at the OAuth endpoints: one', async () => {
    const { refresh_token, access_token } = await user.login()
    const refresh = form({ grant_type: 'refresh_token', refresh_token, client_id: 'app' })
    const introspect = form({ token: access_token }, basic('api', apiSecret))
    const revoke = (token: string) => () => stack.request('/oauth/revoke', form({ token, client_id: 'app' }))
    expect(await tripsOf(() => stack.request('/oauth/token', refresh), 200)).toEqual([['evalsha']])
    expect(await tripsOf(() => stack.request('/oauth/introspect', introspect), 200)).toEqual([['mget']])
    expect(await tripsOf(revoke(access_token), 200)).toEqual([['evalsha']])
    expect(await tripsOf(revoke(refresh_token), 200)).toEqual([['evalsha']])
    const unknown = form({ token: access_token }, basic('api', 'wrong'))
    expect(await tripsOf(() => stack.request('/oauth/introspect', unknown), 401)).toEqual([])
  })

  it('for the key set and the metadata: none', async () => {
    for (const path of ['/.well-known/jwks.json', '/.well-known/oauth-authorization-server'])
      expect(await tripsOf(() => stack.request(path), 200)).toEqual([])
  })

  it('for a forged or malformed refresh token: none', async () => {
    const { refresh_token } = await user.login()
    const forged = [`${refresh_token.slice(0, -2)}AA`, 'rt1.x', '', 'x'.repeat(95), `${refresh_token}A`]
    for (const token of forged) expect(await tripsOf(() => user.refresh(token), 401)).toEqual([])
  })

  it('for a bad signature: none', async () => {
    const { access_token } = await user.login()
    const { privateKey } = await generateKeyPair('ES256')
    const forged = await new SignJWT(decodeJwt(access_token))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'unknown' })
      .sign(privateKey)
    expect(await tripsOf(verify(forged), 401)).toEqual([])
    expect(await tripsOf(verify(`${access_token}x`), 401)).toEqual([])
  })

  it('for an expired access token: none', async () => {
    const { access_token } = await user.login()
    await stack.advanceClock(301_000)
    await stack.request('/.well-known/jwks.json')
    expect(await tripsOf(verify(access_token), 401)).toEqual([])
  })
})
