import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasChromium } from '../support/chromium.ts'
import { callApi, openTab, signedIn, startSite, statusOf, untilStatus, type Site } from './site.ts'

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
})
