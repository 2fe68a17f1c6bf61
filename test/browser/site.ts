/** A real browser, an app of one origin and the real service at another. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Session, SessionEvent } from '../../src/browser/api.ts'
import { launchChromium } from '../support/chromium.ts'
import { startFront, type Front } from '../support/front.ts'
import { audience, startStack, type Stack } from '../support/stack.ts'
import { createUser, json, password } from '../support/user.ts'
import { startWebApp, type WebApp } from '../support/web-app.ts'

declare global {
  /** Of the app's page. */
  var session: Session
  var second: Session
  var happened: SessionEvent[]
  var start: () => Session
}

export interface Site {
  readonly browser: Browser
  readonly stack: Stack
  readonly front: Front
  readonly app: WebApp
  /** How many calls of this kind have reached the service since the last {@link Site.forget}. */
  count(call: string): number
  forget(): void
  /** Lets time pass for the service and, in a context whose clock was installed, for its pages. */
  pass(context: BrowserContext, ms: number): Promise<void>
  stop(): Promise<void>
}

export async function startSite(): Promise<Site> {
  const [front, app, browser] = await Promise.all([startFront(), startWebApp(), launchChromium()])
  const clients = [
    { id: 'web', kind: 'browser', origins: [app.url, front.url], audiences: [audience] },
    { id: 'app', kind: 'native', audiences: [audience] },
  ]
  // Ten tabs and a browser on a small machine make the store look slow.
  const env = { ISSUER: front.url, CLIENTS: JSON.stringify(clients), STORE_TIMEOUT_MS: '5000' }
  const stack = await startStack({ servers: 2, env })
  let turn = 0
  front.forwardTo(() => stack.addressOf(turn++))
  app.use(front.url, async (authorization) => {
    const answer = await stack.request('/v1/verify?fresh=1', { headers: { Authorization: authorization } })
    return answer.status === 204
  })
  return {
    browser,
    stack,
    front,
    app,
    count: (call) => front.requests.filter((made) => made === `POST /v1/${call}`).length,
    forget() {
      front.requests.splice(0)
      Object.assign(app.apiCalls, { refused: 0, accepted: 0 })
    },
    async pass(context, ms) {
      await stack.advanceClock(ms)
      await context.clock.fastForward(ms)
    },
    async stop() {
      await browser.close()
      await app.close()
      await front.close()
      await stack.stop()
    },
  }
}

/** Serves the app's page at the service's own origin too, as the service may do itself. */
export async function serveAtIssuer({ app, front }: Site, context: BrowserContext): Promise<void> {
  for (const path of ['/', '/latchkey.js'])
    await context.route(front.url + path, async (route) => {
      const answer = await fetch(app.url + path)
      await route.fulfill({ body: await answer.text(), contentType: answer.headers.get('Content-Type') ?? '' })
    })
}

/** A tab with the app in it. */
export async function openTab(site: Site, context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  await page.goto(site.app.url)
  return page
}

export interface Visitor {
  readonly context: BrowserContext
  readonly page: Page
  readonly username: string
  /** The same user signs in on another device. */
  readonly signInElsewhere: () => Promise<void>
}

export interface VisitorOptions {
  /** Runs in each page before the app does. */
  readonly before?: string
  /** Pages go by a clock that tests move. */
  readonly ownClock?: boolean
}

/** A new browser profile with one tab, in which a new user has signed in. */
export async function signedIn(site: Site, { before, ownClock = true }: VisitorOptions = {}): Promise<Visitor> {
  const { username } = await createUser(site.stack)
  const context = await site.browser.newContext()
  if (ownClock) await context.clock.install()
  if (before !== undefined) await context.addInitScript(before)
  const page = await openTab(site, context)
  const outcome = await page.evaluate(([name, word]) => session.login(name ?? '', word ?? ''), [username, password])
  if (!outcome.ok) throw new Error(outcome.code)
  site.forget()
  return {
    context,
    page,
    username,
    async signInElsewhere() {
      await site.stack.request('/v1/login', json({ username, password, client_id: 'app' }))
    },
  }
}

export function statusOf(page: Page) {
  return page.evaluate(() => session.status())
}

/** Calls the app's API once, and returns the status of the answer or the code of the refusal. */
export function callApi(page: Page): Promise<string> {
  return page.evaluate(() =>
    session.fetch('/api').then(
      (answer) => String(answer.status),
      (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
    ),
  )
}

/** Waits until the page's status is of this kind. */
export async function untilStatus(page: Page, kind: string): Promise<void> {
  await page.waitForFunction((wanted) => session.status().kind === wanted, kind, { polling: 20, timeout: 10_000 })
}
