/** Browsers that lack something, and a server that renders pages. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createSession } from '../../src/browser/index.ts'
import { hasChromium } from '../support/chromium.ts'
import { bundleLibrary } from '../support/web-app.ts'
import { callApi, signedIn, startSite, untilStatus, type Site } from './site.ts'
import { grant, issuer, type Call } from './world.ts'

const MINUTE_MS = 60_000

/** Like a reload: sessions made one after the other share what the browser keeps. */
function createBrowser() {
  const kept = new Map<string, string>()
  const keys: Call['key'][] = []
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  })
  // Tabs without locks go by chance; here nobody need wait.
  vi.spyOn(Math, 'random').mockReturnValue(0)
  return {
    keys,
    open: () =>
      createSession({
        issuer,
        clientId: 'web',
        async fetch(input, init) {
          const request = new Request(input, init)
          keys.push(request.headers.get('Idempotency-Key'))
          return grant(new URL(request.url).pathname)
        },
      }),
  }
}

describe('a session in a browser', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  function RefusedChannel(): never {
    throw new DOMException('denied', 'SecurityError')
  }

  it.each([
    ['crypto.randomUUID', { crypto: { getRandomValues: crypto.getRandomValues.bind(crypto) } }],
    ['Web Locks', { navigator: {} }],
    ['BroadcastChannel', { BroadcastChannel: undefined }],
    ['a BroadcastChannel that may be opened', { BroadcastChannel: RefusedChannel }],
    [
      'any of them',
      { crypto: { getRandomValues: crypto.getRandomValues.bind(crypto) }, navigator: {}, BroadcastChannel: undefined },
    ],
  ])('without %s signs in, is restored after a reload, and refreshes by a key', async (_, globals) => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value)
    const browser = createBrowser()
    const page = browser.open()
    expect(await page.login('grace', 'correct horse battery')).toEqual({ ok: true })
    expect(await page.getAccessToken()).toBe('/v1/login')
    page.close()
    const reloaded = browser.open()
    expect(await reloaded.getAccessToken()).toBe('/v1/refresh')
    expect(reloaded.status()).toMatchObject({ kind: 'signed-in', sessionId: 'sid-1' })
    expect(browser.keys).toEqual([null, expect.stringMatching(/^[\d-]{10,}$/)])
    reloaded.close()
  })
})

describe('a session under Node, which renders pages', () => {
  it('is signed out, and does not keep the process alive', async () => {
    const program = `${await bundleLibrary('iife')}
      const session = latchkey.createSession({ issuer: ${JSON.stringify(issuer)}, clientId: 'web' })
      console.log(session.status().kind)`
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { timeout: 10_000 })
    expect(stdout).toBe('signed-out\n')
  })
})

describe.skipIf(!hasChromium)('a page in Chromium whose storage is full', () => {
  let site: Site
  beforeAll(async () => {
    site = await startSite()
  })
  afterAll(() => site?.stop())

  it('keeps its session when an answer is lost, the window for replays passes and the tab is reloaded', async () => {
    const { context, page } = await signedIn(site)
    await page.evaluate(() => {
      let filling = 'x'.repeat(1024 * 1024)
      for (let i = 0; filling; i++)
        try {
          localStorage.setItem(`filling ${i}`, filling)
        } catch {
          filling = filling.slice(0, filling.length >> 1)
        }
    })
    await expect(page.evaluate(() => localStorage.setItem('one', 'more'))).rejects.toThrow('quota')
    site.front.fault((path) => (path === '/v1/refresh' ? 'lose-answer' : 'pass'))
    await site.pass(context, 6 * MINUTE_MS)
    expect(await callApi(page)).toBe('unreachable')
    await site.pass(context, MINUTE_MS)
    await page.goto('about:blank')
    site.front.fault(() => 'pass')
    await page.goto(site.app.url)
    await untilStatus(page, 'signed-in')
    expect(await callApi(page)).toBe('200')
    expect(site.stack.events.filter(({ event }) => event === 'refresh.reused')).toEqual([])
    await context.close()
  })
})
