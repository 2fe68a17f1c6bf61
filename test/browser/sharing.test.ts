import { describe, expect, it } from 'vitest'
import { createWorld, grant, refuse, settle, signedInWorld, type Responder } from './world.ts'

const MINUTE_MS = 60_000

const numbered = (): Responder => {
  let count = 0
  return () => grant(`token-${++count}`)
}

describe('tabs of one origin', () => {
  it('hand a token that is good to one that opens, instead of a refresh', async () => {
    const { world, tab } = await signedInWorld()
    await world.pass(MINUTE_MS)
    const other = world.open()
    expect(other.session.status()).toEqual({ kind: 'restoring' })
    await settle()
    expect(await other.session.getAccessToken()).toBe('token')
    expect(other.events).toEqual([{ type: 'shared', sessionId: 'sid-1' }])
    expect(other.session.status()).toMatchObject({
      expiresAtMs: tab.session.status().kind === 'signed-in' && Reflect.get(tab.session.status(), 'expiresAtMs'),
    })
    expect(world.calls).toEqual([])
  })

  it('wait a quarter of a second for that when a page is reloaded and there is no other', async () => {
    const { world, tab } = await signedInWorld()
    tab.session.close()
    const reloaded = world.open()
    await world.pass(249)
    expect(world.refreshes()).toBe(0)
    await world.pass(1)
    expect(world.refreshes()).toBe(1)
    expect(reloaded.session.status().kind).toBe('signed-in')
  })

  it('do not wait when no token can be good any more', async () => {
    const { world, tab } = await signedInWorld()
    tab.session.close()
    await world.pass(6 * MINUTE_MS)
    world.open()
    await settle()
    expect(world.refreshes()).toBe(1)
  })

  it('make one refresh in turn, each time, for hours', async () => {
    const { world } = await signedInWorld()
    for (let i = 0; i < 9; i++) world.open()
    await settle()
    world.respond = numbered()
    await world.pass(255_000 * 10 + 1000)
    expect(world.refreshes()).toBe(10)
  })

  it('wait together while the service cannot answer', async () => {
    const { world } = await signedInWorld()
    const others = Array.from({ length: 9 }, () => world.open())
    await settle()
    world.respond = () => refuse(503, 'store_unavailable', { 'Retry-After': '1' })
    await world.pass(15 * MINUTE_MS)
    expect(world.refreshes()).toBeLessThan(30)
    for (const { session } of others) expect(session.status().kind).toBe('offline')
    world.respond = numbered()
    await world.pass(62_000)
    for (const { session } of others) expect(session.status().kind).toBe('signed-in')
  })

  it('do not take the token of an older session from a tab that has slept through a newer sign-in', async () => {
    const { world, tab } = await signedInWorld()
    const deaf = world.open({ withoutChannel: true })
    await world.pass(300)
    expect(deaf.session.status().kind).toBe('signed-in')
    world.respond = () => grant('of another user', 'sid-2')
    await tab.session.login('ada', 'correct horse battery')
    // It speaks again, of what it knows.
    deaf.wake('front')
    await world.pass(300)
    expect(deaf.session.status()).toMatchObject({ sessionId: 'sid-2' })
    expect(tab.session.status()).toMatchObject({ sessionId: 'sid-2' })
  })

  it('that cannot hear each other find out when they are looked at', async () => {
    const world = createWorld()
    const [one, two] = [world.open({ withoutChannel: true }), world.open({ withoutChannel: true })]
    await one.session.login('grace', 'correct horse battery')
    two.wake('front')
    await world.pass(300)
    expect(two.session.status().kind).toBe('signed-in')
    world.respond = ({ path }) =>
      path === '/v1/logout' ? new Response(null, { status: 204 }) : refuse(401, 'refresh_invalid')
    expect(await two.session.logout()).toEqual({ ok: true })
    one.wake('front')
    await world.pass(300)
    expect(one.session.status()).toMatchObject({ kind: 'signed-out', code: 'refresh_invalid' })
  })

  it('look at nothing twice while the service is away, however often they come to the front', async () => {
    const { world, tab } = await signedInWorld()
    tab.session.close()
    world.respond = () => refuse(503, 'store_unavailable')
    const reloaded = world.open()
    await world.pass(300)
    expect(reloaded.session.status().kind).toBe('offline')
    for (let i = 0; i < 50; i++) {
      reloaded.wake('front')
      await settle()
    }
    expect(world.refreshes()).toBe(1)
  })

  it('that were closed still work for whoever holds on to them, alone', async () => {
    const { world, tab } = await signedInWorld()
    tab.session.close()
    await world.pass(6 * MINUTE_MS)
    expect(world.calls).toEqual([])
    world.respond = numbered()
    expect(await tab.session.getAccessToken()).toBe('token-1')
  })

  it('ignore what is no message of theirs', async () => {
    const { world, tab } = await signedInWorld()
    const before = tab.session.status()
    for (const message of [
      null,
      'x',
      7,
      {},
      { type: 'x' },
      { type: 'token' },
      { type: 'token', lifetimeMs: 'x' },
      { type: 'ended', sessionId: 'other' },
    ])
      world.say(message)
    await settle()
    expect(tab.session.status()).toBe(before)
  })
})
