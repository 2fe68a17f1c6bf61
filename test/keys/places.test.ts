/** Where the operator's tools work: the local stack that runs, and what is about to be deployed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { writeStackFile } from '../../src/local/stack-file.ts'
import { runTool } from '../support/command-line.ts'
import { copyOfProject } from '../support/project-copy.ts'
import { startTestBridge, startTestRedis } from '../support/redis.ts'
import { testSecret } from '../support/stack.ts'

const MINUTE_MS = 60_000

async function startStore() {
  const redis = await startTestRedis()
  onTestFinished(() => redis.stop())
  const bridge = await startTestBridge(redis.url)
  onTestFinished(() => bridge.close())
  return { redis, bridge }
}

describe('the local stack', () => {
  /** `npm start` in a copy of the project. @returns what ends it, as Ctrl-C does */
  async function startLocalStack(root: string, port: string, redisUrl: string): Promise<() => Promise<void>> {
    const child = spawn(process.execPath, ['src/local/start.ts'], {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: root, PORT: port, REDIS_URL: redisUrl },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += String(chunk)))
    const ended = once(child, 'close')
    const stop = async () => {
      child.kill('SIGINT')
      await ended
    }
    onTestFinished(stop)
    const failed = ended.then(() => Promise.reject(new Error(printed)))
    failed.catch(() => undefined)
    await Promise.race([vi.waitUntil(() => printed.includes('is ready on'), { timeout: MINUTE_MS }), failed])
    return stop
  }

  it('is found while it runs, through a file that only its owner can read', { timeout: 3 * MINUTE_MS }, async () => {
    const root = await copyOfProject()
    const { redis } = await startStore()
    const stop = await startLocalStack(root, '18791', redis.url)
    const file = join(root, '.latchkey', 'stack-18791.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)

    const keys = (...args: string[]) => runTool('keys', args, { env: {}, root })
    const found = await keys('list')
    expect(found).toMatchObject({ code: 0, stderr: expect.stringContaining('the local stack on port 18791') })
    const served: unknown = await (await fetch('http://localhost:18791/.well-known/jwks.json')).json()
    expect(JSON.parse((await keys('export', '--json')).stdout)).toEqual(served)
    expect(await keys('doctor')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok +ring/m) })
    expect((await keys('list', '--port', '1')).code).toBe(1)

    const secret = /LATCHKEY_SECRET=(.+)/.exec(await readFile(join(root, '.dev.vars'), 'utf8'))?.[1] ?? ''
    expect(secret).toHaveLength(43)
    const all = await Promise.all([keys('doctor', '--json'), keys('rotate', '--yes'), keys('export')])
    for (const { stdout, stderr } of [found, ...all]) expect(stdout + stderr).not.toContain(secret)

    await stop()
    expect((await readdir(join(root, '.latchkey'))).filter((name) => name.startsWith('stack-'))).toEqual([])
    expect(await keys('list')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^No local stack is running/) })
  })

  it('has to be chosen when several run, and one that crashed does not count', async () => {
    const root = await copyOfProject()
    const keys = (...args: string[]) => runTool('keys', args, { env: {}, root })
    const crashed = spawn(process.execPath, ['-e', ''])
    await once(crashed, 'close')
    const folder = join(root, '.latchkey')
    await writeStackFile(folder, { port: 9001, pid: crashed.pid ?? 0, env: {} })
    expect((await keys('list')).stderr).toContain('No local stack is running')

    for (const port of [9002, 9003]) await writeStackFile(folder, { port, pid: process.pid, env: {} })
    expect(await keys('list')).toMatchObject({ code: 2, stderr: expect.stringContaining('--port (9002, 9003)') })
    expect((await keys('list', '--port', '9003')).stderr).toContain('the local stack on port 9003')
  })
})

describe('npm run deploy', () => {
  /** A project whose wrangler.toml is somebody's own. */
  async function ownProject(storeUrl: string): Promise<string> {
    const root = await copyOfProject()
    const file = join(root, 'wrangler.toml')
    const text = (await readFile(file, 'utf8')).replace('https://example.upstash.io', storeUrl)
    await writeFile(file, text.replaceAll('.example.com', '.latchkey.test'))
    return root
  }

  it('goes as far as the last step with --dry-run', { timeout: 2 * MINUTE_MS }, async () => {
    const { bridge } = await startStore()
    const root = await ownProject(bridge.url)
    const env = { LATCHKEY_SECRET: testSecret, UPSTASH_REDIS_REST_TOKEN: bridge.token }
    const { code, stdout, stderr } = await runTool('deploy', ['--dry-run'], { env, root })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('ready to be deployed')
    expect(stdout).not.toContain(testSecret)
    expect(stdout).not.toContain(bridge.token)
  })

  it('refuses what doctor finds, and what cannot be built', { timeout: 2 * MINUTE_MS }, async () => {
    const { bridge } = await startStore()
    const root = await ownProject(bridge.url)
    const env = { LATCHKEY_SECRET: testSecret, UPSTASH_REDIS_REST_TOKEN: bridge.token }
    const deploy = (changes: Record<string, string> = {}) =>
      runTool('deploy', ['--dry-run'], { env: { ...env, ...changes }, root })

    expect((await deploy({ UPSTASH_REDIS_REST_TOKEN: 'another' })).code).toBe(3)
    const elsewhere = await deploy({ UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1' })
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('is not that of wrangler.toml') })

    await writeFile(join(root, 'src', 'worker.ts'), 'export default {')
    expect(await deploy()).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be built') })

    const file = join(root, 'wrangler.toml')
    await writeFile(file, `${await readFile(file, 'utf8')}\nLATCHKEY_SECRET = "${testSecret}"\n`)
    const committed = await deploy()
    expect(committed).toMatchObject({ code: 1, stdout: expect.stringContaining('stands in wrangler.toml') })
    expect(committed.stdout + committed.stderr).not.toContain(testSecret)
  })
})
