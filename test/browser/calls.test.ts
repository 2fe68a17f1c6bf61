import { describe, expect, it } from 'vitest'
import { api, grant, refuse, refusalOf, settle, signedInWorld, type Responder } from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const numbered = (): Responder => {
  let count = 0
  return () => grant(`token-${++count}`)
}

describe('time', () => {
  it('that a machine has slept counts, though its timers stood still', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = numbered()
    world.sleep(24 * HOUR_MS)
    tab.wake('front')
    tab.wake('front')
    tab.wake('online')
    await settle()
    expect(world.refreshes()).toBe(1)
    expect(await tab.session.getAccessToken()).toBe('token-1')
  })

  it('is looked at every half minute, and before each call, should nothing tell of the wake', async () => {
    const { world, tab } = await signedInWorld()
    world.sleep(24 * HOUR_MS)
    await world.pass(30_000)
    expect(world.refreshes()).toBe(1)
    world.sleep(24 * HOUR_MS)
    await tab.session.getAccessToken()
    expect(world.refreshes()).toBe(2)
  })

  it('goes on though the clock is set back an hour', async () => {
    const { world } = await signedInWorld()
    world.sleep(-HOUR_MS)
    await world.pass(254_000)
    expect(world.refreshes()).toBe(0)
    await world.pass(2000)
    expect(world.refreshes()).toBe(1)
  })

  it('of a page that nobody sees passes without a request', async () => {
    const { world, tab } = await signedInWorld()
    tab.isVisible = false
    tab.wake('front')
    await world.pass(24 * HOUR_MS)
    tab.wake('online')
    await settle()
    expect(world.calls).toEqual([])
    tab.isVisible = true
    tab.wake('front')
    await settle()
    expect(world.refreshes()).toBe(1)
  })

  it('never makes a storm, however short the service lets its tokens live', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = () => grant('brief', 'sid-1', 0)
    await world.pass(5 * MINUTE_MS)
    world.calls.splice(0)
    await world.pass(MINUTE_MS)
    expect(world.refreshes()).toBeLessThanOrEqual(61)
    tab.session.close()
    world.calls.splice(0)
    await world.pass(HOUR_MS)
    expect(world.calls).toEqual([])
  })
})

describe('a call to an API', () => {
  it('carries the token, and is sent again with its body after a 401', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = ({ path, authorization }) =>
      path === '/v1/refresh' ? grant('new') : new Response(null, { status: authorization === 'Bearer new' ? 200 : 401 })
    const answer = await tab.session.fetch(`${api}/orders`, { method: 'POST', body: 'an order' })
    expect(answer.status).toBe(200)
    expect(world.calls.map(({ path, authorization, body }) => [path, authorization, body])).toEqual([
      [`${api}/orders`, 'Bearer token', 'an order'],
      ['/v1/refresh', null, expect.any(String)],
      [`${api}/orders`, 'Bearer new', 'an order'],
    ])
  })

  it('whose API refuses every token signs nobody out, and asks for another now and then only', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = ({ path }) =>
      path === '/v1/refresh' ? grant(`n${world.calls.length}`) : refuse(401, 'session_expired')
    for (let i = 0; i < 20; i++) {
      expect((await tab.session.fetch(`${api}/orders`)).status).toBe(401)
      await world.pass(1000)
    }
    expect(tab.session.status().kind).toBe('signed-in')
    expect(world.refreshes()).toBe(1)
  })

  it('of an origin that is not listed is not made: the token would be its', async () => {
    const { world, tab } = await signedInWorld()
    expect(await refusalOf(tab.session.fetch('https://evil.example.com/'))).toBe('origin_not_listed')
    expect(world.calls).toEqual([])
  })

  it('fails as fetch does when the API cannot be reached', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = () => Promise.reject(new TypeError('no network'))
    await expect(tab.session.fetch(api)).rejects.toThrow(new TypeError('no network'))
    expect(tab.session.status().kind).toBe('signed-in')
  })

  it('tells no token or password in what it throws', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = () => Promise.reject(new TypeError('no network'))
    await world.pass(HOUR_MS)
    const error = await tab.session.getAccessToken().catch((thrown: unknown) => thrown)
    const outcome = await tab.session.login('grace', 'correct horse battery')
    const told =
      JSON.stringify([outcome, tab.session.status(), tab.events]) +
      String(error) +
      String(error instanceof Error && error.stack)
    expect(told).not.toMatch(/horse|Bearer|"token"/)
  })
})
