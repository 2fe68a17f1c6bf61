import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasChromium } from '../support/chromium.ts'
import { callApi, openTab, signedIn, startSite, statusOf, untilStatus, type Site } from './site.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** The page's `Date` may be set; nothing else changes. */
const settableDate = `{
  const now = Date.now.bind(Date)
  window.dateOffsetMs = 0
  Date.now = () => now() + window.dateOffsetMs
}`
/** The page may be put into the background. */
const hideable = `{
  window.isHidden = false
  Object.defineProperty(document, 'visibilityState', { get: () => (window.isHidden ? 'hidden' : 'visible') })
}`

describe.skipIf(!hasChromium)('a page in Chromium stays signed in', () => {
  let site: Site
  beforeAll(async () => {
    site = await startSite()
  })
  afterAll(() => site?.stop())

  it('when the answer to a refresh is lost, the tab is reloaded, and an hour has gone by', async () => {
    const { context, page } = await signedIn(site)
    await site.pass(context, 6 * MINUTE_MS)
    site.front.fault((path) => (path === '/v1/refresh' ? 'lose-answer' : 'pass'))
    expect(await callApi(page)).toBe('unreachable')
    expect((await statusOf(page)).kind).toBe('offline')
    await page.goto('about:blank')
    site.front.fault(() => 'pass')
    await site.pass(context, HOUR_MS)
    const replayed = () => site.stack.events.filter(({ event }) => event === 'refresh.replayed').length
    const before = replayed()
    await page.goto(site.app.url)
    await untilStatus(page, 'signed-in')
    expect(replayed()).toBe(before + 1)
    expect(await callApi(page)).toBe('200')
    await context.close()
  })

  it('when a component is mounted twice and makes thirty calls at once: one refresh', async () => {
    const { context, page } = await signedIn(site)
    await page.evaluate(() => void (second = start()))
    await page.waitForFunction(() => second.status().kind === 'signed-in')
    expect(site.count('refresh')).toBe(0)
    await site.pass(context, 6 * MINUTE_MS)
    const statuses = await page.evaluate(() =>
      Promise.all(Array.from({ length: 30 }, async (_, i) => (await [session, second][i % 2]?.fetch('/api'))?.status)),
    )
    expect(statuses).toEqual(Array.from({ length: 30 }, () => 200))
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it('when a component is mounted, taken away and mounted again while it is being restored: one refresh', async () => {
    const { context, page } = await signedIn(site)
    await page.goto('about:blank')
    await site.pass(context, 6 * MINUTE_MS)
    await page.goto(`${site.app.url}/twice`)
    await untilStatus(page, 'signed-in')
    expect(await callApi(page)).toBe('200')
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it('when an API refuses thirty calls at once with a token that looked good: one refresh, all are tried again', async () => {
    const { context, page } = await signedIn(site)
    // For the service the token has run out, for the page it has not.
    await site.stack.advanceClock(6 * MINUTE_MS)
    const statuses = await page.evaluate(() =>
      Promise.all(
        Array.from({ length: 30 }, async () => (await session.fetch('/api', { method: 'POST', body: 'hello' })).status),
      ),
    )
    expect(statuses).toEqual(Array.from({ length: 30 }, () => 200))
    expect(site.count('refresh')).toBe(1)
    expect(site.app.apiCalls).toEqual({ refused: 30, accepted: 30 })
    await context.close()
  })

  it('when it sleeps for a day and wakes', async () => {
    const { context, page } = await signedIn(site)
    await site.pass(context, DAY_MS)
    await page.waitForFunction(() => happened.some(({ type }) => type === 'refreshed'), undefined, { polling: 20 })
    expect(await callApi(page)).toBe('200')
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it('when it is offline and comes back', async () => {
    const { context, page } = await signedIn(site)
    await context.setOffline(true)
    await site.pass(context, 6 * MINUTE_MS)
    expect(await callApi(page)).toBe('unreachable')
    expect((await statusOf(page)).kind).toBe('offline')
    expect(site.count('refresh')).toBe(0)
    await context.setOffline(false)
    await untilStatus(page, 'signed-in')
    expect(await callApi(page)).toBe('200')
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it.each([-HOUR_MS, HOUR_MS])('when its clock is off by %i ms, from the beginning or all at once', async (offMs) => {
    const { context, page } = await signedIn(site, { before: settableDate, ownClock: false })
    await page.evaluate((ms) => Object.assign(globalThis, { dateOffsetMs: ms }), offMs)
    expect(await callApi(page)).toBe('200')
    // A step forward looks like sleep: one refresh too many, and no more.
    await untilStatus(page, 'signed-in')
    await page.waitForTimeout(500)
    expect(await callApi(page)).toBe('200')
    expect(site.count('refresh')).toBe(offMs > 0 ? 1 : 0)

    const context2 = await site.browser.newContext({ storageState: await context.storageState() })
    await context2.addInitScript(`${settableDate}; window.dateOffsetMs = ${offMs}`)
    const wrong = await openTab(site, context2)
    await untilStatus(wrong, 'signed-in')
    site.forget()
    for (let i = 0; i < 5; i++) expect(await callApi(wrong)).toBe('200')
    expect(site.count('refresh')).toBe(0)
    await context.close()
    await context2.close()
  })

  it('when it is in the background for a day: nothing is sent, and one refresh when it is looked at again', async () => {
    const { context, page } = await signedIn(site, { before: hideable })
    await page.evaluate(() => Object.assign(globalThis, { isHidden: true }))
    for (let i = 0; i < 24; i++) await site.pass(context, HOUR_MS)
    expect(site.front.requests).toEqual([])
    await page.evaluate(() => {
      Object.assign(globalThis, { isHidden: false })
      for (let i = 0; i < 10; i++) document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
    })
    await page.waitForFunction(() => happened.some(({ type }) => type === 'refreshed'), undefined, { polling: 20 })
    expect(await callApi(page)).toBe('200')
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it('when the service answers 503 for ten minutes: few requests, from three tabs together', async () => {
    const { context, page } = await signedIn(site)
    const tabs = [page, await openTab(site, context), await openTab(site, context)]
    await Promise.all(tabs.map((tab) => untilStatus(tab, 'signed-in')))
    site.front.fault((path) => (path === '/v1/refresh' ? 'unavailable' : 'pass'))
    await site.pass(context, 5 * MINUTE_MS)
    for (let i = 0; i < 60; i++) {
      await site.stack.advanceClock(10_000)
      await context.clock.runFor(10_000)
      await callApi(page)
    }
    const sent = site.count('refresh')
    console.log(`503 for ten minutes: ${sent} refreshes from three tabs`)
    expect(sent).toBeGreaterThan(5)
    expect(sent).toBeLessThan(40)
    expect((await statusOf(page)).kind).toBe('offline')
    site.front.fault(() => 'pass')
    // In small steps: time that jumps while a call is under way looks like a call that takes too long.
    const areBack = async () => (await Promise.all(tabs.map(statusOf))).every(({ kind }) => kind === 'signed-in')
    for (let i = 0; i < 24 && !(await areBack()); i++) {
      await context.clock.runFor(5000)
      await page.evaluate(() => fetch('/elsewhere'))
    }
    await Promise.all(tabs.map((tab) => untilStatus(tab, 'signed-in')))
    expect(await Promise.all(tabs.map(callApi))).toEqual(['200', '200', '200'])
    await context.close()
  })
})
