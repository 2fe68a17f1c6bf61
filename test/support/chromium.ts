import { existsSync } from 'node:fs'
import { chromium, type Browser } from 'playwright-core'

/** Debian's chromium and where others put it. */
const executablePath = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && existsSync(path))

/** False where there is no browser: then the tests that need one are skipped, with a notice, except in CI. */
export const hasChromium = executablePath !== undefined || process.env['CI'] !== undefined
if (!hasChromium)
  console.warn('Chromium was not found: the tests in a browser are SKIPPED. Debian: apt-get install chromium')

/** @throws if there is none */
export async function launchChromium(): Promise<Browser> {
  if (!executablePath) throw new Error('Chromium was not found. Debian: apt-get install chromium')
  return chromium.launch({
    executablePath,
    // As root, which containers are, Chromium has no sandbox.
    args: ['--no-sandbox'],
    // Playwright turns it off; users have it.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  })
}
