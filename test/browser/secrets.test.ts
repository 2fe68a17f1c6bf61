import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasChromium } from '../support/chromium.ts'
import { startWebApp } from '../support/web-app.ts'
import { signedIn, startSite, untilStatus, type Site } from './site.ts'

describe.skipIf(!hasChromium)('script in Chromium', () => {
  let site: Site
  beforeAll(async () => {
    site = await startSite()
  })
  afterAll(() => site?.stop())

  it('cannot read the refresh token: not in cookies, storage or answers', async () => {
    const { context, page } = await signedIn(site)
    const [cookie] = await context.cookies(site.front.url)
    expect(cookie).toMatchObject({ name: 'refresh_token', httpOnly: true, sameSite: 'Strict' })
    expect(cookie?.value).toMatch(/^rt1\./)
    const readable = await page.evaluate(async (issuer) => {
      const answer = await fetch(`${issuer}/v1/refresh`, { method: 'POST', credentials: 'include' })
      const databases = await indexedDB.databases()
      return JSON.stringify([
        document.cookie,
        Object.entries(localStorage),
        Object.entries(sessionStorage),
        databases,
        await caches.keys(),
        answer.status,
        [...answer.headers],
        await answer.text(),
        session.status(),
        happened,
      ])
    }, site.front.url)
    expect(readable).toContain('access_token')
    expect(readable).not.toContain('rt1.')
    await context.close()
  })

  it('finds the access token nowhere but in memory', async () => {
    const { context, page } = await signedIn(site)
    const [token, stored] = await page.evaluate(async () => [
      await session.getAccessToken(),
      JSON.stringify([
        Object.entries(localStorage),
        Object.entries(sessionStorage),
        document.cookie,
        history.state,
        window.name,
      ]),
    ])
    expect(token).toMatch(/^eyJ/)
    expect(stored).not.toContain(token)
    expect(stored).not.toContain('eyJ')
    await context.close()
  })

  it('of another origin is refused, even on the same site: fetches and a form post', async () => {
    const stranger = await startWebApp()
    const { context, page } = await signedIn(site)
    try {
      const foreign = await context.newPage()
      await foreign.goto(`${stranger.url}/elsewhere`)
      for (const path of ['/v1/refresh', '/v1/logout']) {
        const outcomes = await foreign.evaluate(async (url) => {
          const outcome = (init: RequestInit) =>
            fetch(url, { method: 'POST', credentials: 'include', ...init }).then(
              (answer) => answer.type,
              () => 'refused',
            )
          return [
            await outcome({}),
            await outcome({ headers: { 'Idempotency-Key': 'x' } }),
            await outcome({ headers: { 'Content-Type': 'application/json' }, body: '{}' }),
            await outcome({ mode: 'no-cors' }),
          ]
        }, site.front.url + path)
        expect(outcomes).toEqual(['refused', 'refused', 'refused', 'refused'])
        // The first and the last have arrived all the same, with the cookie; the service has refused them.
        expect(site.front.requests.splice(0)).toEqual([`POST ${path}`, `POST ${path}`])
        const [answer] = await Promise.all([
          foreign.waitForResponse(site.front.url + path),
          foreign.evaluate((url) => {
            const form = document.createElement('form')
            Object.assign(form, { method: 'post', action: url })
            document.body.append(form)
            form.submit()
          }, site.front.url + path),
        ])
        expect(answer.status()).toBe(403)
        expect(await answer.json()).toMatchObject({ code: 'origin_not_allowed' })
        await foreign.goto(`${stranger.url}/elsewhere`)
        site.forget()
      }
      await page.reload()
      await untilStatus(page, 'signed-in')
    } finally {
      await context.close()
      await stranger.close()
    }
  })

  it('of a page without a session sends nothing until it is asked to', async () => {
    const context = await site.browser.newContext()
    const page = await context.newPage()
    site.forget()
    await page.goto(site.app.url)
    expect(await page.evaluate(() => session.status().kind)).toBe('signed-out')
    expect(site.front.requests).toEqual([])
    expect(await page.evaluate(() => session.restore())).toMatchObject({ kind: 'signed-out', code: 'refresh_invalid' })
    expect(site.count('refresh')).toBe(1)
    await context.close()
  })

  it('that has lost the note of a session gets it back by asking', async () => {
    const { context, page } = await signedIn(site)
    await page.evaluate(() => localStorage.clear())
    await page.reload()
    expect(await page.evaluate(() => session.status().kind)).toBe('signed-out')
    expect(await page.evaluate(() => session.restore())).toMatchObject({ kind: 'signed-in' })
    await context.close()
  })

  it('keeps what it has when the service cannot end the session, and is told so', async () => {
    const { context, page } = await signedIn(site)
    site.front.fault((path) => (path === '/v1/logout' ? 'unavailable' : 'pass'))
    expect(await page.evaluate(() => session.logout())).toEqual({
      ok: false,
      code: 'store_unavailable',
      message: 'Try again.',
      retryAfterMs: 1000,
    })
    expect(await page.evaluate(() => session.status().kind)).toBe('signed-in')
    site.front.fault(() => 'pass')
    expect(await page.evaluate(() => session.logout())).toEqual({ ok: true })
    await context.close()
  })
})
