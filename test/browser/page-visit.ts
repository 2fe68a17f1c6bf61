/** The page as it is served, and people who visit it with a browser of their own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import axe from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { z } from 'zod'
import { buildPage } from '../../src/local/page-bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { startFront, type Front } from '../support/front.ts'
import { startStack, type Stack } from '../support/stack.ts'

export const password = 'correct horse battery'

export interface PageSite {
  readonly stack: Stack
  readonly browser: Browser
  readonly front: Front
  /** A new browser profile, with the page open in a tab. */
  visit(): Promise<Visit>
  /** What went wrong on any page so far: errors of scripts, and whatever broke the content security policy. */
  readonly complaints: readonly string[]
  /** Addresses beyond the page's own origin that were asked for. */
  readonly foreign: readonly string[]
  stop(): Promise<void>
}

export interface Visit {
  readonly context: BrowserContext
  readonly page: Page
}

export async function startPageSite(): Promise<PageSite> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-page-'))
  const [front, browser] = await Promise.all([startFront(), launchChromium(), buildPage(folder)])
  const { url } = front
  const clients = [{ id: 'web', kind: 'browser', origins: [url], audiences: [url] }]
  const env = { ISSUER: url, CLIENTS: JSON.stringify(clients), STORE_TIMEOUT_MS: '3000' }
  const stack = await startStack({ env, page: folder })
  front.forwardTo(() => stack.addressOf(0))
  const complaints: string[] = []
  const foreign: string[] = []

  function listenTo(page: Page): void {
    page.on('pageerror', ({ message }) => complaints.push(message))
    page.on('console', (line) => {
      // The browser itself tells of refusals and of answers that did not come: those are part of the tests.
      const isOfNetwork = line.text().startsWith('Failed to load resource')
      if (line.type() === 'error' && !isOfNetwork) complaints.push(line.text())
    })
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== url) foreign.push(request.url())
    })
  }

  return {
    stack,
    browser,
    front,
    complaints,
    foreign,
    async visit() {
      const context = await browser.newContext({ reducedMotion: 'reduce' })
      context.on('page', listenTo)
      await context.addInitScript(() =>
        document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
          console.error(`policy: ${violatedDirective} ${blockedURI}`),
        ),
      )
      const page = await context.newPage()
      await page.goto(url)
      return { context, page }
    },
    async stop() {
      await browser.close()
      await front.close()
      await stack.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function signUp({ page }: Visit, username: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Username' }).fill(username)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Sign up and sign in' }).click()
  await untilSignedIn(page)
}

export async function signIn({ page }: Visit, username: string, word = password): Promise<void> {
  await page.getByRole('radio', { name: 'Sign in' }).check()
  await page.getByRole('textbox', { name: 'Username' }).fill(username)
  await page.getByRole('textbox', { name: 'Password' }).fill(word)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

export async function untilSignedIn(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Call the API' }).and(page.locator(':enabled')).waitFor()
}

export async function untilHeading(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole('heading', { level: 1, name }).waitFor()
}

const axeAnswer = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
})

/**
 * What axe-core finds, in light and dark, on a phone and on a desk; and there, what is too small to touch or too wide to
 * fit.
 */
export async function flawsOf(page: Page): Promise<string[]> {
  const flaws: string[] = []
  await page.evaluate(axe.source)
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [390, 1280]) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 844 })
      const { violations } = axeAnswer.parse(await page.evaluate('axe.run(document, { resultTypes: ["violations"] })'))
      for (const { id, nodes } of violations)
        flaws.push(`${colorScheme} ${width}: ${id}: ${nodes.map(({ html }) => html).join(' ')}`)
      for (const flaw of await page.evaluate(measure)) flaws.push(`${width}: ${flaw}`)
    }
  return flaws
}

/** Runs in the page. */
function measure(): string[] {
  const controls = document.querySelectorAll<HTMLElement>('button, a.button, summary, .field input, label:has(input)')
  const small = [...controls].filter((control) => {
    const { width, height } = control.getBoundingClientRect()
    return control.checkVisibility() && Math.min(width, height) < 44 && !control.matches('.field label')
  })
  const flaws = small.map(({ outerHTML }) => `too small to touch: ${outerHTML}`)
  if (document.documentElement.scrollWidth > innerWidth) flaws.push('wider than the window')
  return flaws
}
