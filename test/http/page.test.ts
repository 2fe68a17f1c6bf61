import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { buildPage } from '../../src/local/page-bundle.ts'
import { stackForTest, type Stack } from '../support/stack.ts'
import { refusal } from '../support/user.ts'

const files = [
  ['/', 'text/html; charset=utf-8'],
  ['/page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'text/css; charset=utf-8'],
  ['/page.svg', 'image/svg+xml'],
]

async function stackWithPage(): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-page-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await buildPage(folder)
  return stackForTest({ page: folder })
}

describe('the page, where its files are bound', () => {
  it('is served with its types, revalidated, and under a policy without inline script', async () => {
    const stack = await stackWithPage()
    for (const [path = '', type] of files) {
      const { status, headers } = await stack.request(path)
      expect([status, headers.get('Content-Type')]).toEqual([200, type])
      expect(headers.get('Cache-Control')).toBe('no-cache')
      expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
      expect(headers.get('Referrer-Policy')).toBe('no-referrer')
      expect(headers.get('Content-Security-Policy')).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self';/,
      )
      expect(headers.get('Content-Security-Policy')).not.toContain('unsafe')
      const again = await stack.request(path, { headers: { 'If-None-Match': headers.get('ETag') ?? '' } })
      expect(again.status).toBe(304)
      const head = await stack.request(path, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
    }
    expect(stack.storeRequests).toEqual([])
  })

  it('is nothing but its files, and only read', async () => {
    const stack = await stackWithPage()
    for (const path of ['/index.html', '/page.ts', '/..%2fworker.js', '/.dev.vars'])
      expect(await refusal(await stack.request(path))).toBe('404 not_found')
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect(await refusal(await stack.request('/page.js', { method }))).toBe('404 not_found')
  })
})

describe('the page, where they are not', () => {
  it('is not there', async () => {
    const stack = await stackForTest({ env: { ASSETS: 'a variable of that name is no binding' } })
    for (const [path = ''] of files) expect(await refusal(await stack.request(path))).toBe('404 not_found')
  })
})
