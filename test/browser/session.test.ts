import { describe, expect, it } from 'vitest'
import { createWorld, grant, refusalOf, refuse, signedInWorld, type Responder } from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

describe('a session', () => {
  it('is signed out at first, sends nothing, and refuses calls with a code', async () => {
    const world = createWorld()
    const { session } = world.open()
    expect(session.status()).toMatchObject({ kind: 'signed-out', code: 'signed_out' })
    expect(await refusalOf(session.getAccessToken())).toBe('signed_out')
    await world.pass(HOUR_MS)
    expect(world.calls).toEqual([])
  })

  it('signs in, tells when the token ends and when it will be renewed', async () => {
    const world = createWorld()
    const { session, events } = world.open()
    expect(await session.login('grace', 'correct horse battery')).toEqual({ ok: true })
    const nowMs = world.dateOffsetMs
    expect(session.status()).toEqual({
      kind: 'signed-in',
      sessionId: 'sid-1',
      refreshedAtMs: nowMs,
      refreshDueAtMs: nowMs + 255_000,
      expiresAtMs: nowMs + 300_000,
    })
    expect(events).toEqual([{ type: 'signed-in', sessionId: 'sid-1' }])
    expect(JSON.parse(world.calls[0]?.body ?? '')).toMatchObject({
      username: 'grace',
      password: 'correct horse battery',
    })
  })

  it('gives the same snapshot until something changes', async () => {
    const { world, tab } = await signedInWorld()
    const before = tab.session.status()
    await tab.session.getAccessToken()
    await world.pass(MINUTE_MS)
    expect(tab.session.status()).toBe(before)
    await world.pass(5 * MINUTE_MS)
    expect(tab.session.status()).not.toBe(before)
  })

  it('says why a sign-in failed, in the words of the service, and keeps the session there was', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = () => refuse(401, 'invalid_credentials')
    expect(await tab.session.login('grace', 'wrong')).toMatchObject({
      ok: false,
      code: 'invalid_credentials',
      message: 'Title of invalid_credentials.',
    })
    expect(tab.session.status().kind).toBe('signed-in')
    world.respond = () => Promise.reject(new TypeError('no network'))
    expect(await tab.session.login('grace', 'right')).toMatchObject({ ok: false, code: 'unreachable' })
    world.respond = () => refuse(429, 'too_many_attempts', { 'Retry-After': '7' })
    expect(await tab.session.login('grace', 'right')).toMatchObject({ code: 'too_many_attempts', retryAfterMs: 7000 })
  })

  it('registers an account', async () => {
    const world = createWorld()
    const { session } = world.open()
    world.respond = () => Response.json({ user_id: 'u', username: 'grace' }, { status: 201 })
    expect(await session.signUp('grace', 'correct horse battery')).toEqual({ ok: true })
    world.respond = () => refuse(409, 'username_taken')
    expect(await session.signUp('grace', 'correct horse battery')).toMatchObject({ ok: false, code: 'username_taken' })
    expect(session.status().kind).toBe('signed-out')
  })

  it.each([
    ['session_superseded', 'superseded'],
    ['session_expired', 'expired'],
    ['session_unknown', 'signed-out'],
    ['refresh_reused', 'signed-out'],
    ['refresh_invalid', 'signed-out'],
  ])('ends with %s: %s', async (code, kind) => {
    const { world, tab } = await signedInWorld()
    world.respond = () => refuse(401, code)
    await world.pass(6 * MINUTE_MS)
    expect(tab.session.status()).toEqual({ kind, code, message: `Title of ${code}.` })
    expect(world.refreshes()).toBe(1)
    expect(await refusalOf(tab.session.getAccessToken())).toBe(code)
    await world.pass(HOUR_MS)
    expect(world.refreshes()).toBe(1)
    expect(world.storage.size).toBe(0)
  })

  it.each<[string, Responder]>([
    ['503', () => refuse(503, 'store_unavailable', { 'Retry-After': '1' })],
    ['429', () => refuse(429, 'too_many_attempts')],
    ['500', () => refuse(500, 'internal')],
    ['403', () => refuse(403, 'origin_not_allowed')],
    ['a 401 that is not of the service', () => refuse(401, 'invalid_token')],
    ['a 401 without a code', () => new Response('no', { status: 401 })],
    ['the page of a hotel’s network', () => new Response('<h1>Welcome</h1>', { status: 200 })],
    ['a body that breaks off', () => new Response('{"access_token":"ey', { status: 200 })],
    ['no network', () => Promise.reject(new TypeError('no network'))],
  ])('is kept through ten minutes of %s, with few requests', async (_, respond) => {
    const { world, tab } = await signedInWorld()
    await world.pass(4 * MINUTE_MS)
    world.respond = respond
    for (let i = 0; i < 600; i++) {
      await world.pass(1000)
      void tab.session.getAccessToken().catch(() => {})
    }
    expect(tab.session.status().kind).toBe('offline')
    expect(world.refreshes()).toBeGreaterThan(5)
    expect(world.refreshes()).toBeLessThan(20)
    world.respond = () => grant('fresh')
    await world.pass(MINUTE_MS + 1000)
    expect(tab.session.status().kind).toBe('signed-in')
    // Ten minutes and as many tries are one refresh to the service.
    expect(new Set(world.calls.map(({ key }) => key)).size).toBe(1)
  })

  it('goes on with a token that is good for a while, when another cannot be had', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = () => refuse(503, 'store_unavailable')
    await world.pass(280_000)
    expect(tab.session.status().kind).toBe('signed-in')
    expect(tab.events.at(-1)).toMatchObject({ type: 'retry', code: 'store_unavailable' })
    expect(await tab.session.getAccessToken()).toBe('token')
    await world.pass(20_000)
    expect(await refusalOf(tab.session.getAccessToken())).toBe('store_unavailable')
    expect(tab.session.status().kind).toBe('offline')
  })

  it('waits as long as the service asks for', async () => {
    const { world } = await signedInWorld()
    world.respond = () => refuse(503, 'store_unavailable', { 'Retry-After': '120' })
    await world.pass(256_000)
    expect(world.refreshes()).toBe(1)
    await world.pass(119_000)
    expect(world.refreshes()).toBe(1)
    await world.pass(3000)
    expect(world.refreshes()).toBe(2)
  })

  it('uses a new key once an answer has arrived', async () => {
    const { world } = await signedInWorld()
    await world.pass(20 * MINUTE_MS)
    const keys = world.calls.map(({ key }) => key)
    expect(keys.length).toBeGreaterThanOrEqual(4)
    expect(new Set(keys).size).toBe(keys.length)
  })

  it('gives up a call that takes longer than fifteen seconds, and keeps its key', async () => {
    const { world, tab } = await signedInWorld()
    await world.pass(HOUR_MS)
    world.calls.splice(0)
    world.respond = () => new Promise(() => {})
    world.sleep(HOUR_MS)
    const call = refusalOf(tab.session.getAccessToken())
    await world.pass(14_000)
    expect(tab.session.status().kind).toBe('signed-in')
    await world.pass(2000)
    expect(world.refreshes()).toBe(1)
    void call
  })
})

describe('a listener that throws', () => {
  it('keeps neither the session nor the other listeners from going on', async () => {
    const { world, tab } = await signedInWorld()
    const thrown: unknown[] = []
    const catchIt = (error: unknown) => void thrown.push(error)
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', catchIt)
    tab.session.subscribe(() => {
      throw new Error('a mistake of the page')
    })
    const heard: string[] = []
    tab.session.subscribe(({ type }) => heard.push(type))
    await world.pass(5 * MINUTE_MS)
    process.off('uncaughtException', catchIt)
    for (const listener of before) process.on('uncaughtException', listener)
    expect(heard).toEqual(['refreshed'])
    expect(thrown).toHaveLength(1)
    expect(tab.session.status().kind).toBe('signed-in')
  })
})

describe('a listener that subscribes anew when it is called', () => {
  it('as a component does that renders, hears of an event once', async () => {
    const { world, tab } = await signedInWorld()
    const heard: string[] = []
    let unsubscribe = () => {}
    const subscribe = () =>
      tab.session.subscribe(({ type }) => {
        unsubscribe()
        // Should it be called for ever, the test fails and does not hang.
        if (heard.push(type) < 10) unsubscribe = subscribe()
      })
    unsubscribe = subscribe()
    await world.pass(256_000)
    expect(heard).toEqual(['refreshed'])
  })
})
