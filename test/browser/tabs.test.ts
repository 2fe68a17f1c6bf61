import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasChromium } from '../support/chromium.ts'
import { createUser, password } from '../support/user.ts'
import { callApi, openTab, serveAtIssuer, signedIn, startSite, statusOf, untilStatus, type Site } from './site.ts'

const MINUTE_MS = 60_000
/** Web Locks as in a browser that has none. */
const withoutLocks = 'Object.defineProperty(navigator, "locks", { value: undefined })'

describe.skipIf(!hasChromium)('tabs in Chromium', () => {
  let site: Site
  beforeAll(async () => {
    site = await startSite()
  })
  afterAll(() => site?.stop())

  it.each([2, 10])('%i of them, opened at once after the token ran out, make one refresh', async (count) => {
    const { context } = await signedIn(site)
    await context.pages()[0]?.close()
    await site.pass(context, 6 * MINUTE_MS)
    const tabs = await Promise.all(Array.from({ length: count }, () => openTab(site, context)))
    expect(await Promise.all(tabs.map(callApi))).toEqual(tabs.map(() => '200'))
    expect(site.count('refresh')).toBe(1)
    expect(site.app.apiCalls).toEqual({ refused: 0, accepted: count })
    await context.close()
  })

  it('with the token of all of them run out, make one refresh between them', async () => {
    const { context, page } = await signedIn(site)
    const tabs = [page, ...(await Promise.all(Array.from({ length: 9 }, () => openTab(site, context))))]
    await Promise.all(tabs.map((tab) => untilStatus(tab, 'signed-in')))
    // On a busy machine a tab may not wait long enough for another's answer.
    expect(site.count('refresh')).toBeLessThan(5)
    site.forget()
    await site.pass(context, 6 * MINUTE_MS)
    expect(await Promise.all(tabs.map(callApi))).toEqual(tabs.map(() => '200'))
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it.each([2, 10])('%i of them without Web Locks: nobody is signed out, then or later', async (count) => {
    const { context, page } = await signedIn(site, { before: withoutLocks })
    const tabs = await Promise.all(Array.from({ length: count }, () => openTab(site, context)))
    await page.close()
    for (let round = 0; round < 3; round++) {
      await site.pass(context, 6 * MINUTE_MS)
      const calls = tabs.map(callApi)
      // The lease is looked at by the pages' clock, which hardly moves by itself.
      await Promise.all(tabs.map((tab) => tab.clock.resume()))
      expect(await Promise.all(calls)).toEqual(tabs.map(() => '200'))
    }
    console.log(`${count} tabs without Web Locks, three times: ${site.count('refresh')} refreshes`)
    expect(site.count('refresh')).toBeLessThanOrEqual(3 * count)
    expect(site.stack.events.filter(({ event }) => event === 'refresh.reused')).toEqual([])
    await context.close()
  })

  it('do not wait for ever for a lock that a dead tab has taken along', async () => {
    const { context, page } = await signedIn(site)
    const orphan = await context.newPage()
    await orphan.goto(`${site.app.url}/elsewhere`)
    await orphan.evaluate((name) => {
      void navigator.locks.request(name, () => new Promise(() => {}))
    }, `latchkey ${site.front.url} web`)
    await site.pass(context, 6 * MINUTE_MS)
    const call = callApi(page)
    await page.clock.runFor(1000)
    expect(site.count('refresh')).toBe(0)
    await page.clock.runFor(5000)
    expect(await call).toBe('200')
    await context.close()
  })

  it('are signed out together, and the back button shows nothing', async () => {
    const { context, page } = await signedIn(site, { ownClock: false })
    const [other, gone] = [await openTab(site, context), await openTab(site, context)]
    await Promise.all([other, gone].map((tab) => untilStatus(tab, 'signed-in')))
    expect(await gone.textContent('main')).toBe('the balance is 42')
    await gone.goto(`${site.app.url}/elsewhere`)

    expect(await page.evaluate(() => session.logout())).toEqual({ ok: true })
    await untilStatus(other, 'signed-out')
    expect(await callApi(other)).toBe('signed_out')
    expect(await other.textContent('main')).toBe('signed-out')

    await gone.goBack({ waitUntil: 'commit' })
    await untilStatus(gone, 'signed-out')
    expect(await gone.textContent('main')).toBe('signed-out')
    expect(await page.evaluate(() => session.restore())).toMatchObject({ kind: 'signed-out', code: 'refresh_invalid' })
    await context.close()
  })

  it('at the origin of the service itself sign in and out as often as they like', async () => {
    const context = await site.browser.newContext()
    await serveAtIssuer(site, context)
    const [one, two] = [await context.newPage(), await context.newPage()]
    for (const tab of [one, two]) await tab.goto(site.front.url)
    const { username } = await createUser(site.stack)
    for (let round = 0; round < 2; round++) {
      const signIn = ([name, word]: string[]) => session.login(name ?? '', word ?? '')
      expect(await one.evaluate(signIn, [username, password])).toEqual({ ok: true })
      await untilStatus(two, 'signed-in')
      await two.reload()
      await untilStatus(two, 'signed-in')
      // The browser clears its storage now, what the library keeps there included.
      expect(await two.evaluate(() => session.logout())).toEqual({ ok: true })
      await untilStatus(one, 'signed-out')
      expect(await one.evaluate(() => localStorage.length)).toBe(0)
    }
    await context.close()
  })

  it('that come out of the back/forward cache look again before they show anything', async () => {
    // A message would make Chromium drop the page from its cache.
    const { context, page } = await signedIn(site, { before: 'window.BroadcastChannel = undefined', ownClock: false })
    const gone = await openTab(site, context)
    await untilStatus(gone, 'signed-in')
    await gone.evaluate(() => Object.assign(globalThis, { isSamePage: true }))
    await gone.goto(`${site.app.url}/elsewhere`)
    expect(await page.evaluate(() => session.logout())).toEqual({ ok: true })
    await gone.goBack({ waitUntil: 'commit' })
    await untilStatus(gone, 'signed-out')
    expect(await gone.evaluate('window.isSamePage')).toBe(true)
    const events = await gone.evaluate(() => happened.map(({ type }) => type))
    expect(events.slice(-2)).toEqual(['restoring', 'ended'])
    expect(await gone.textContent('main')).toBe('signed-out')
    await context.close()
  })

  it('hear that the user has signed in on another device: superseded, at the next call, with a message', async () => {
    const { context, page, signInElsewhere } = await signedIn(site)
    const other = await openTab(site, context)
    await untilStatus(other, 'signed-in')
    await signInElsewhere()
    expect(await callApi(page)).toBe('401')
    expect(await statusOf(page)).toEqual({
      kind: 'superseded',
      code: 'session_superseded',
      message: 'A newer sign-in ended this session.',
    })
    await untilStatus(other, 'superseded')
    expect(site.count('refresh')).toBe(1)
    expect(await callApi(page)).toBe('session_superseded')
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it('hear of it at the next refresh, without any call', async () => {
    const { context, page, signInElsewhere } = await signedIn(site)
    await signInElsewhere()
    await site.pass(context, 6 * MINUTE_MS)
    await untilStatus(page, 'superseded')
    expect(site.front.requests).toEqual(['POST /v1/refresh'])
    await context.close()
  })

  it('show the next user who signs in in one of them, in all of them', async () => {
    const { context, page } = await signedIn(site)
    const other = await openTab(site, context)
    await untilStatus(other, 'signed-in')
    const another = await signedIn(site)
    const outcome = await page.evaluate((name) => session.login(name, 'correct horse battery staple'), another.username)
    expect(outcome).toEqual({ ok: true })
    const { sessionId } = await page.evaluate(() => ({ sessionId: '', ...session.status() }))
    await other.waitForFunction((id) => ({ sessionId: '', ...session.status() }).sessionId === id, sessionId)
    await context.close()
    await another.context.close()
  })
})
