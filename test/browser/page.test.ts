import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { hasChromium } from '../support/chromium.ts'
import {
  flawsOf,
  password,
  signIn,
  signUp,
  startPageSite,
  untilHeading,
  untilSignedIn,
  type PageSite,
  type Visit,
} from './page-visit.ts'

const DAY_MS = 86_400_000

describe.skipIf(!hasChromium)('the page, in Chromium', () => {
  let site: PageSite
  let users = 0
  beforeAll(async () => {
    site = await startPageSite()
  })
  afterAll(() => site?.stop())

  async function visit(): Promise<Visit> {
    const visitor = await site.visit()
    onTestFinished(() => visitor.context.close())
    return visitor
  }

  /** A visitor who has signed up. */
  async function signedUp(): Promise<Visit & { username: string }> {
    const visitor = await visit()
    const username = `visitor-${users++}`
    await signUp(visitor, username)
    return { ...visitor, username }
  }

  it('asks nothing of the service before somebody signs in', async () => {
    const { page } = await visit()
    await untilHeading(page, /One session/)
    expect(site.front.requests.filter((made) => made.includes('/v1/'))).toEqual([])
  })

  it('signs up and in, and shows the token run down and be replaced', async () => {
    const visitor = await visit()
    await visitor.context.clock.install()
    const { page } = visitor
    await page.reload()
    await signUp(visitor, 'ada')
    await untilHeading(page, 'Hello, ada')
    await expect.poll(() => page.locator('#left').textContent()).toMatch(/^(5:00|4:5\d)$/)

    await site.stack.advanceClock(200_000)
    await visitor.context.clock.fastForward(200_000)
    await expect.poll(() => page.locator('#left').textContent()).toMatch(/^1:[34]\d$/)
    await site.stack.advanceClock(80_000)
    await visitor.context.clock.fastForward(80_000)
    await expect.poll(() => page.locator('#refreshes').textContent()).toBe('1')
    await expect.poll(() => page.locator('#left').textContent()).toMatch(/^4:5\d$|^5:00$/)
    expect(await page.locator('#journal').textContent()).toContain('POST /v1/refresh')
  })

  it('shows each refusal next to its field, with the cursor there', async () => {
    const { username } = await signedUp()
    const visitor = await visit()
    const { page } = visitor
    const passwordField = page.getByRole('textbox', { name: 'Password' })
    await page.getByRole('textbox', { name: 'Username' }).fill(username)
    await passwordField.fill('too short')
    expect(await page.locator('#sign-up-count').textContent()).toBe('9 of 15')
    await page.getByRole('button', { name: 'Sign up and sign in' }).click()
    await page.getByText('A password has at least 15 characters.').waitFor()
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('sign-up-password')
    expect(await passwordField.getAttribute('aria-invalid')).toBe('true')

    await passwordField.fill(password)
    await page.keyboard.press('Enter')
    await page.getByText('This username is taken.').waitFor()
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('sign-up-username')

    await signIn(visitor, username, 'not the right password')
    await page.getByText('The username or the password is wrong.').waitFor()
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('sign-in-password')
  })

  it('stays signed in over a reload and in a second tab, and signs out in both', async () => {
    const { page, context, username } = await signedUp()
    await page.reload()
    await untilHeading(page, `Hello, ${username}`)
    const second = await context.newPage()
    await second.goto(site.front.url)
    await untilHeading(second, `Hello, ${username}`)
    await expect.poll(() => second.locator('#tabs').textContent()).toBe('2')
    await expect.poll(() => second.locator('#handovers').textContent()).toBe('1')

    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    for (const tab of [page, second]) await untilHeading(tab, /One session/)
    await page.reload()
    await untilHeading(page, /One session/)
  })

  it('signs out everywhere', async () => {
    const { page } = await signedUp()
    await page.getByRole('button', { name: 'Sign out everywhere' }).click()
    await untilHeading(page, /One session/)
    expect(await page.locator('#journal').textContent()).toContain('DELETE /v1/sessions')
  })

  it('can be used by keyboard alone', async () => {
    const { username } = await signedUp()
    const { page } = await visit()
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key)
    }
    await press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the session')
    await press('Enter', 'Tab', 'ArrowRight', 'Tab')
    await page.keyboard.type(username)
    await press('Tab')
    await page.keyboard.type(password)
    await press('Enter')
    await untilHeading(page, `Hello, ${username}`)
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('session-title')
    await press('Tab', 'Enter')
    await page.getByText('204: the session is alive').waitFor()
  })

  it('says calmly that a newer sign-in elsewhere has superseded it, and signs in again', async () => {
    const { page, username } = await signedUp()
    await page.getByRole('checkbox', { name: /Watch for it/ }).check()
    const other = await visit()
    await signIn(other, username)
    await untilSignedIn(other.page)

    await untilHeading(page, 'You signed in somewhere else')
    await page.getByRole('button', { name: 'Sign in here again' }).click()
    expect(await page.getByRole('textbox', { name: 'Username' }).inputValue()).toBe(username)
    await page.keyboard.type(password)
    await page.keyboard.press('Enter')
    await untilHeading(page, `Hello, ${username}`)
    await other.page.getByRole('button', { name: 'Call the API' }).click()
    await untilHeading(other.page, 'You signed in somewhere else')
  })

  it('keeps the session while the store is down, and goes on when it is back', async () => {
    const { page, username } = await signedUp()
    site.stack.proxy.mode('refuse')
    onTestFinished(() => site.stack.proxy.mode('pass'))
    await page.reload()
    await untilHeading(page, 'Your session is kept')
    await page.getByText(/Trying again in \d+ seconds?\./).waitFor()
    site.stack.proxy.mode('pass')
    await page.getByRole('button', { name: 'Try now' }).click()
    await untilHeading(page, `Hello, ${username}`)
    expect(await page.locator('#trouble').isVisible()).toBe(false)
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('session-title')
  })

  it('replaces a token that an API refuses, and copies the token without ever showing it', async () => {
    const { page, context } = await signedUp()
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByRole('button', { name: 'Refresh now' }).click()
    await page.getByText('The API refused the token, so a fresh one was fetched.').waitFor()
    await page.getByRole('button', { name: 'Refresh now' }).click()
    await page.getByText('not again for 30 seconds').waitFor()

    await page.getByText('What the access token says').click()
    await page.getByRole('button', { name: 'Copy access token' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    const token = await page.evaluate(() => navigator.clipboard.readText())
    expect(token.split('.')).toHaveLength(3)
    expect(await page.content()).not.toContain(token.slice(0, 40))
  })

  it('has no flaw that axe-core finds, in any state, in light and dark, narrow and wide', async () => {
    const { page, context, username } = await signedUp()
    const flaws: Record<string, string[]> = {}
    const examine = async (state: string) => Object.assign(flaws, { [state]: await flawsOf(page) })
    await page.getByText('What the access token says').click()
    await examine('signed in')

    await context.route('**/v1/refresh', () => {})
    await page.reload()
    await untilHeading(page, /Looking for your session/)
    await examine('restoring')
    await context.unroute('**/v1/refresh')

    await context.route('**/v1/refresh', (route) => route.abort())
    await page.reload()
    await untilHeading(page, 'Your session is kept')
    await examine('offline')

    const other = await visit()
    await signIn(other, username)
    await untilSignedIn(other.page)
    await context.unroute('**/v1/refresh')
    await untilHeading(page, 'You signed in somewhere else')
    await examine('superseded')
    await page.getByRole('button', { name: 'Sign in here again' }).click()
    await page.keyboard.type('not the right password')
    await page.keyboard.press('Enter')
    await page.getByText('The username or the password is wrong.').waitFor()
    await examine('signing in')
    await page.getByRole('radio', { name: 'Sign up' }).check()
    await examine('signing up')

    await site.stack.advanceClock(8 * DAY_MS)
    await other.page.reload()
    await untilHeading(other.page, 'Your session has run out')
    expect(await flawsOf(other.page)).toEqual([])
    expect(Object.entries(flaws).filter(([, found]) => found.length > 0)).toEqual([])
  })

  it('never broke its content security policy, threw an error or asked another origin, in all of these tests', () => {
    expect(site.complaints).toEqual([])
    expect(site.foreign).toEqual([])
  })
})
