/** What a reviewer broke: answers that come late, users who change in the middle, APIs that refuse everything. */
import { describe, expect, it } from 'vitest'
import {
  api,
  createWorld,
  grant,
  refusalOf,
  refuse,
  settle,
  signedInWorld,
  type Responder,
  type World,
} from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Longer than anybody waits for a refresh. */
const PATIENCE_MS = 10_001
const transfer = { method: 'POST', body: 'grace pays 1000' }

/** Which bodies reached the API, and with which token. */
const sentTo = (world: World) =>
  world.calls.filter(({ path }) => path.startsWith(api)).map(({ authorization, body }) => [authorization, body])

/** The next call of this path is answered when the test says so, all others as `otherwise` does. */
function holdNext(world: World, path: string, otherwise: Responder) {
  const { promise: held, resolve } = Promise.withResolvers<Response>()
  let isHeld = false
  world.respond = (call) => {
    if (isHeld || call.path !== path) return otherwise(call)
    isHeld = true
    return held
  }
  return async (response: Response) => {
    resolve(response)
    await settle()
  }
}

/** Grace's session is over once Ada has signed in. */
const serviceOfAda: Responder = ({ path }) => {
  if (path === '/v1/login') return grant('token of ada', 'sid-ada')
  if (path === '/v1/logout') return new Response(null, { status: 204 })
  return path === '/v1/refresh' ? refuse(401, 'session_unknown') : Response.json({})
}

describe('a call begun for one user', () => {
  it('fails, and is not sent, if the token that it waits for turns out to be another user’s', async () => {
    const { world, tab } = await signedInWorld()
    world.sleep(HOUR_MS)
    world.respond = () => grant('token of ada', 'sid-ada')
    expect(await refusalOf(tab.session.fetch(`${api}/transfers`, transfer))).toBe('session_changed')
    expect(sentTo(world)).toEqual([])
    expect((await tab.session.fetch(`${api}/transfers`, { method: 'POST', body: 'ada pays 1' })).status).toBe(200)
    expect(sentTo(world)).toEqual([['Bearer token of ada', 'ada pays 1']])
  })

  it('fails, and is not sent, if another user signs in in another tab while it waits for a token', async () => {
    const { world, tab } = await signedInWorld()
    const other = world.open({ withoutLocks: true })
    await world.pass(300)
    world.sleep(HOUR_MS)
    const answer = holdNext(world, '/v1/refresh', serviceOfAda)
    const refusal = refusalOf(tab.session.fetch(`${api}/transfers`, transfer))
    await settle()
    const outcome = other.session.login('ada', 'correct horse battery')
    await world.pass(1001)
    expect(await outcome).toEqual({ ok: true })
    await answer(grant('late token', 'sid-1'))
    expect(await refusal).toBe('session_changed')
    expect(sentTo(world)).toEqual([])
  })

  it('is not sent again after a 401 if another user has signed in meanwhile', async () => {
    const { world, tab } = await signedInWorld()
    const other = world.open()
    await world.pass(300)
    const answer = holdNext(world, `${api}/transfers`, serviceOfAda)
    const call = tab.session.fetch(`${api}/transfers`, transfer)
    await settle()
    await other.session.logout()
    await other.session.login('ada', 'correct horse battery')
    await settle()
    expect(tab.session.status()).toMatchObject({ sessionId: 'sid-ada' })
    await answer(new Response(null, { status: 401 }))
    expect((await call).status).toBe(401)
    expect(sentTo(world)).toEqual([['Bearer token', 'grace pays 1000']])
  })

  it('is not sent again after a 401 if the refresh brings another user’s token', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = ({ path }) =>
      path === '/v1/refresh' ? grant('token of ada', 'sid-ada') : new Response(null, { status: 401 })
    expect((await tab.session.fetch(`${api}/transfers`, transfer)).status).toBe(401)
    expect(sentTo(world)).toEqual([['Bearer token', 'grace pays 1000']])
  })

  it('is given up at once when its page aborts it, though a token is still awaited', async () => {
    const { world, tab } = await signedInWorld()
    world.sleep(HOUR_MS)
    world.respond = () => new Promise(() => {})
    const abort = new AbortController()
    const call = tab.session.fetch(`${api}/transfers`, { ...transfer, signal: abort.signal })
    await settle()
    abort.abort()
    await expect(call).rejects.toThrow(abort.signal.reason)
    const aborted = AbortSignal.abort()
    await expect(tab.session.fetch(api, { signal: aborted })).rejects.toThrow(aborted.reason)
    expect(sentTo(world)).toEqual([])
  })
})

describe.each([
  ['with Web Locks', false],
  ['without Web Locks', true],
])('a refresh that is answered late, %s,', (_, withoutLocks) => {
  /** Two tabs of one user; a refresh of the first hangs. */
  async function lateWorld() {
    const world = createWorld()
    const [tab, other] = [world.open({ withoutLocks }), world.open({ withoutLocks })]
    const outcome = tab.session.login('grace', 'correct horse battery')
    await world.pass(1001)
    expect(await outcome).toEqual({ ok: true })
    expect(other.session.status()).toMatchObject({ sessionId: 'sid-1' })
    other.isVisible = false
    const answer = holdNext(world, '/v1/refresh', serviceOfAda)
    await world.pass(257_000)
    // Nobody looks after anything from here on: only what the test does counts.
    tab.isVisible = false
    return { world, tab, other, answer }
  }

  it('does not undo a sign-out, be it of this tab or of another', async () => {
    for (const which of ['tab', 'other'] as const) {
      const { world, answer, ...tabs } = await lateWorld()
      const outcome = tabs[which].session.logout()
      await world.pass(PATIENCE_MS)
      expect(await outcome).toEqual({ ok: true })
      await answer(grant('late token', 'sid-1'))
      for (const { session } of [tabs.tab, tabs.other]) {
        expect(session.status()).toMatchObject({ kind: 'signed-out', code: 'signed_out' })
        expect(await refusalOf(session.getAccessToken())).toBe('signed_out')
      }
      expect(world.storage.size).toBe(0)
    }
  })

  it('does not undo a newer sign-in, be it of this tab or of another', async () => {
    for (const which of ['tab', 'other'] as const) {
      const { world, answer, ...tabs } = await lateWorld()
      const outcome = tabs[which].session.login('ada', 'correct horse battery')
      await world.pass(PATIENCE_MS)
      expect(await outcome).toEqual({ ok: true })
      await answer(grant('late token', 'sid-1'))
      for (const { session } of [tabs.tab, tabs.other]) {
        expect(session.status()).toMatchObject({ kind: 'signed-in', sessionId: 'sid-ada' })
        expect(await session.getAccessToken()).toBe('token of ada')
      }
      expect([...world.storage.values()].join()).toContain('sid-ada')
    }
  })

  it('and says that its session is over, ends no newer one', async () => {
    const { world, tab, other, answer } = await lateWorld()
    const outcome = other.session.login('ada', 'correct horse battery')
    await world.pass(PATIENCE_MS)
    expect(await outcome).toEqual({ ok: true })
    await answer(refuse(401, 'session_superseded'))
    for (const { session } of [tab, other]) expect(session.status()).toMatchObject({ sessionId: 'sid-ada' })
  })
})

describe('a session that was left', () => {
  it('does not come back with its cookie, which a late answer may have put in the place of the newer one', async () => {
    const { world, tab } = await signedInWorld()
    world.respond = ({ path }) => (path === '/v1/login' ? grant('token of ada', 'sid-ada') : grant('late token'))
    await tab.session.login('ada', 'correct horse battery')
    await world.pass(10 * MINUTE_MS)
    expect(tab.session.status()).toMatchObject({ kind: 'signed-out', code: 'signed_out' })
    expect(world.refreshes()).toBe(1)
    expect(world.storage.size).toBe(0)
  })

  it.each([
    ['holds its token', 3001, 260_000],
    ['is still being restored', 0, 3001],
  ])(
    'does not take the note of the newer one along when a tab that hears no other and %s learns of its end',
    async (_, openMs, untilAskedMs) => {
      const { world, tab } = await signedInWorld()
      tab.isVisible = false
      const deaf = world.open({ withoutChannel: true, withoutLocks: true })
      await world.pass(openMs)
      expect(deaf.session.status().kind).toBe(openMs ? 'signed-in' : 'restoring')
      world.calls.splice(0)
      const answer = holdNext(world, '/v1/refresh', serviceOfAda)
      await world.pass(untilAskedMs)
      expect(world.refreshes()).toBe(1)
      expect(await tab.session.login('ada', 'correct horse battery')).toEqual({ ok: true })
      await answer(refuse(401, 'session_superseded'))
      expect(tab.session.status()).toMatchObject({ kind: 'signed-in', sessionId: 'sid-ada' })
      const opened = world.open()
      await world.pass(300)
      expect(opened.session.status()).toMatchObject({ kind: 'signed-in', sessionId: 'sid-ada' })
    },
  )
})

describe('an API that refuses every token', () => {
  it.each([1, 2, 4])('costs %i tabs that call it each second a couple of refreshes a minute', async (count) => {
    const { world, tab } = await signedInWorld()
    const tabs = [tab, ...Array.from({ length: count - 1 }, () => world.open())]
    await world.pass(300)
    let refreshed = 0
    world.respond = ({ path }) =>
      path === '/v1/refresh' ? grant(`token-${++refreshed}`) : new Response(null, { status: 401 })
    for (let second = 0; second < 60; second++) {
      for (const { session } of tabs) expect((await session.fetch(`${api}/orders`)).status).toBe(401)
      await world.pass(1000)
    }
    expect(refreshed).toBeGreaterThan(0)
    expect(refreshed).toBeLessThanOrEqual(3)
    for (const { session } of tabs) expect(session.status().kind).toBe('signed-in')
  })
})
