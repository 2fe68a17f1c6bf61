import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { unstable_readConfig } from 'wrangler'
import { PAGE_FILES } from '../../src/endpoints/page.ts'
import { buildPage } from '../../src/local/page-bundle.ts'
import { projectRoot } from '../../src/local/project.ts'
import { stackForTest, type Stack } from '../support/stack.ts'
import { refusal } from '../support/user.ts'

const files = [
  ['/', 'text/html; charset=utf-8'],
  ['/page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'text/css; charset=utf-8'],
  ['/page.svg', 'image/svg+xml'],
]

async function folderForTest(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-page-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function stackWithPage(): Promise<Stack> {
  const folder = await folderForTest()
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

describe('wrangler.toml', () => {
  it('has lines that turn the page on, once they are not comments', async () => {
    const folder = await folderForTest()
    const text = await readFile(join(projectRoot, 'wrangler.toml'), 'utf8')
    const config = join(folder, 'wrangler.toml')
    await writeFile(config, text.replaceAll(/^# (?=\[assets\]|\w+ = )/gm, ''))
    const { assets, build } = unstable_readConfig({ config })
    expect(assets).toMatchObject({ binding: 'ASSETS', html_handling: 'none', run_worker_first: true })

    const command = /^# +command = "(.+)"$/m.exec(text)?.[1] ?? ''
    const script = 'src/local/page-bundle.ts'
    expect(command.split(' && ')).toEqual([build.command, `node ${script} ${assets?.directory}`])
    await promisify(execFile)(process.execPath, [join(projectRoot, script), join(folder, 'page')])
    const built = await readdir(join(folder, 'page'))
    expect(built.map((name) => `/${name}`).toSorted()).toEqual(PAGE_FILES.map(({ asset }) => asset).toSorted())
  })
})
