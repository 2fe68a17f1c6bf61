import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasChromium } from '../support/chromium.ts'
import { flawsOf, startPageSite, type PageSite } from './page-visit.ts'

describe.skipIf(!hasChromium)('the page about the interface, in Chromium', () => {
  let site: PageSite
  beforeAll(async () => {
    site = await startPageSite()
  })
  afterAll(() => site?.stop())

  it('shows every call, and leads to each', async () => {
    const { page, context } = await site.visit()
    await page.goto(`${site.front.url}/docs`)
    await page.getByRole('heading', { level: 1, name: 'Latchkey: the interface' }).waitFor()
    const links = page.getByRole('navigation', { name: 'Calls' }).getByRole('link')
    const articles = page
      .getByRole('main')
      .getByRole('article')
      .filter({ has: page.locator('.address') })
    expect(await links.count()).toBe(await articles.count())
    await links.filter({ hasText: 'Sign in' }).first().click()
    const signIn = page.locator('article:target')
    expect(await signIn.getByRole('heading', { level: 3 }).textContent()).toBe('Sign in')
    expect(await signIn.getByRole('row', { name: /429.*too_many_attempts/ }).count()).toBe(1)
    expect(
      await page
        .locator('a[href^="#"]')
        .evaluateAll((all) => all.filter((a) => !document.querySelector(a.getAttribute('href') ?? '')).length),
    ).toBe(0)
    await context.close()
  })

  it('has no flaw that axe-core finds, in light and dark, narrow and wide, and keeps its policy', async () => {
    const { page, context } = await site.visit()
    await page.goto(`${site.front.url}/docs`)
    expect(await flawsOf(page)).toEqual([])
    await context.close()
    expect(site.complaints).toEqual([])
    expect(site.foreign).toEqual([])
  })
})
