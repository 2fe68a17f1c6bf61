import { createServer } from 'node:http'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { projectRoot } from '../../src/local/project.ts'
import { createNewcomer, type Newcomer, type Running } from '../support/newcomer.ts'
import { startTestBridge, startTestRedis } from '../support/redis.ts'
import { json } from '../support/user.ts'

const MINUTE_MS = 60_000
const PORT = '18787'
const baseUrl = `http://localhost:${PORT}`

let newcomer: Newcomer

beforeAll(async () => {
  newcomer = await createNewcomer()
}, MINUTE_MS)
afterAll(() => newcomer.leave(), MINUTE_MS)

/** The shell commands of README's first block, without their comments. */
async function readmeCommands(): Promise<string[]> {
  const readme = await readFile(join(projectRoot, 'README.md'), 'utf8')
  const block = /```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  return block.split('\n').flatMap((line) => line.split('#')[0]?.trim() || [])
}

async function untilPrinted(running: Running, text: string): Promise<void> {
  const stopped = running.ended.then((code) => Promise.reject(new Error(`ended with ${code}:\n${running.printed()}`)))
  const printed = vi.waitUntil(() => running.printed().includes(text), { timeout: 5 * MINUTE_MS, interval: 200 })
  await Promise.race([printed, stopped])
}

/** Ctrl-C ends everything, and that is no error. */
async function stop(running: Running): Promise<void> {
  await running.interrupt()
  // The machine may take a moment to bury the dead.
  await expect.poll(() => running.isRunning(), { timeout: 10_000 }).toBe(false)
  expect(running.printed()).not.toMatch(/unexpected|error/i)
}

describe('a newcomer who is not root, on a machine without redis-server', () => {
  it('starts everything with README’s one line, and its three commands work', { timeout: 10 * MINUTE_MS }, async () => {
    const [startLine = '', testLine] = await readmeCommands()
    expect([startLine, testLine]).toEqual(['npm ci && npm start', 'npm ci && npm test'])
    const running = newcomer.start(startLine, { PORT })
    await untilPrinted(running, `Latchkey is ready on ${baseUrl}`)
    expect(running.printed()).toContain('redis-server not found: fetching')

    const commands = running.printed().match(/^ {2}curl .*$/gm) ?? []
    expect(commands).toHaveLength(3)
    const [signUp, signIn, check] = await inTurn(commands, async (command) => (await newcomer.run(command)).printed)
    expect(JSON.parse(signUp ?? '')).toEqual({ user_id: expect.any(String), username: 'ada' })
    expect(JSON.parse(signIn ?? '')).toMatchObject({ token_type: 'Bearer', expires_in: 300 })
    expect(check).toContain('HTTP/1.1 204')
    expect(running.printed()).toContain('"event":"login.succeeded"')

    await stop(running)
    await expect(fetch(`${baseUrl}/healthz`)).rejects.toThrow('fetch failed')
  })

  it('finds README’s own examples working', { timeout: 5 * MINUTE_MS }, async () => {
    const readme = await readFile(join(projectRoot, 'README.md'), 'utf8')
    const examples = /## Try it[\s\S]*?```sh\n([\s\S]*?)```/
      .exec(readme)?.[1]
      ?.replaceAll('http://localhost:8787', baseUrl)
    const running = newcomer.start('npm start', { PORT })
    await untilPrinted(running, 'is ready on')
    const { printed } = await newcomer.run(examples ?? '')
    expect(printed).toContain('"username":"grace"')
    expect(printed).toContain('"refresh_token":"rt1.')
    await stop(running)
  })

  it('keeps sessions and secrets over a restart, with the secrets readable by their owner only', async () => {
    const login = () =>
      fetch(`${baseUrl}/v1/login`, json({ username: 'ada', password: 'correct horse battery', client_id: 'app' }))
    const first = newcomer.start('npm start', { PORT })
    await untilPrinted(first, 'is ready on')
    const { refresh_token } = Object(await (await login()).json())
    await stop(first)
    const file = join(newcomer.project, '.dev.vars')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const secrets = await readFile(file, 'utf8')

    const second = newcomer.start('npm start', { PORT })
    await untilPrinted(second, 'is ready on')
    const refreshed = await fetch(`${baseUrl}/v1/refresh`, json({ refresh_token }))
    expect(refreshed.status).toBe(200)
    await stop(second)
    expect(await readFile(file, 'utf8')).toBe(secrets)
    expect(secrets).toMatch(/^LATCHKEY_SECRET=[\w-]{43}\nAPI_CLIENT_SECRET=[\w-]{43}\n$/)
  })

  it('can use a Redis that is there, or an Upstash database', async () => {
    const redis = await startTestRedis()
    onTestFinished(() => redis.stop())
    const bridge = await startTestBridge(redis.url)
    onTestFinished(() => bridge.close())
    const stores = [
      { REDIS_URL: redis.url },
      { UPSTASH_REDIS_REST_URL: bridge.url, UPSTASH_REDIS_REST_TOKEN: bridge.token },
    ]
    const keySets: string[] = []
    for (const store of stores) {
      const running = newcomer.start('npm start', { PORT, ...store })
      await untilPrinted(running, 'is ready on')
      keySets.push(await (await fetch(`${baseUrl}/.well-known/jwks.json`)).text())
      await stop(running)
    }
    expect(keySets[1]).toBe(keySets[0])
  })

  it('is told in one sentence what is wrong', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    const takenPort = String(address && typeof address === 'object' ? address.port : '')
    const mistakes: [Record<string, string>, RegExp][] = [
      [{ PORT: takenPort }, /Port \d+ is in use\. Choose another: PORT=\d+ npm start/],
      [{ PORT: 'eighty' }, /PORT must be 1 to 65535, not "eighty"/],
      [{ PORT, SESSIONS_PER_USER: '11', ISSUER: 'http://example.com' }, /SESSIONS_PER_USER: must be from 1 to 10/],
      [{ PORT, SESSIONS_PER_USER: '11', ISSUER: 'http://example.com' }, /ISSUER: http:\/\/example.com: must be https/],
      [{ PORT, REDIS_URL: 'redis://127.0.0.1:1' }, /REDIS_URL: no Redis answers there \(ECONNREFUSED\)/],
      [{ PORT, REDIS_URL: 'localhost:6379' }, /REDIS_URL must look like redis:\/\/localhost:6379/],
      [{ PORT, UPSTASH_REDIS_REST_URL: 'https://x.upstash.io' }, /UPSTASH_REDIS_REST_TOKEN go together/],
    ]
    for (const [env, message] of mistakes) {
      const { code, printed } = await newcomer.run('npm start', env)
      expect(printed).toMatch(message)
      expect(printed).not.toMatch(/^ {4}at /m)
      expect(code).toBe(1)
    }
    taken.close()
  })

  it('can ask for help, and is told of an option that does not exist', async () => {
    const help = await newcomer.run('npm start -- --help')
    expect(help).toMatchObject({ code: 0, printed: expect.stringContaining('REDIS_URL') })
    const wrong = await newcomer.run('npm start -- --prot 80')
    expect(wrong).toMatchObject({ code: 1, printed: expect.stringContaining('--help') })
  })
})

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
  return results
}
