import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { base64url } from 'jose'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openHash } from '../../src/accounts/sealed-hash.ts'
import type { RedisProcess } from '../../src/local/redis-process.ts'
import { createKeyNames } from '../../src/store/keys.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { operatorVariables, runTool, startTool, type CommandRun } from '../support/command-line.ts'
import { foreignSamples } from '../support/foreign-hashes.ts'
import { startTestBridge, startTestRedis, type TestBridge } from '../support/redis.ts'
import { testConfig, testSecret } from '../support/stack.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const bcryptHash = foreignSamples.find(({ name }) => name === 'bcrypt, cost 12')?.hash ?? ''

let redis: RedisProcess
let bridge: TestBridge
let proxy: TcpProxy
let direct: Redis
let env: Record<string, string>
let folder: string
let file: string
/** Called for each batch before the store has it. */
let onBatch: (nth: number) => void
let batches: number

beforeAll(async () => {
  redis = await startTestRedis()
  bridge = await startTestBridge(redis.url, {
    onRequest: ({ path }) => {
      if (path === '/pipeline') onBatch(++batches)
    },
  })
  proxy = await startTcpProxy({ targetPort: bridge.port })
  direct = new Redis(redis.url, { protocol: 2 })
  env = { ...operatorVariables(bridge), UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${proxy.port}` }
})
afterAll(async () => {
  direct.disconnect()
  await proxy.close()
  await bridge.close()
  await redis.stop()
})
beforeEach(async () => {
  await direct.flushall()
  folder = await mkdtemp(join(tmpdir(), 'latchkey-import-'))
  file = join(folder, 'users.ndjson')
  onBatch = () => undefined
  batches = 0
  proxy.mode('pass')
})
afterEach(() => rm(folder, { recursive: true }))

const lines = (count: number, line = (i: number): unknown => ({ username: `user-${i}`, password_hash: bcryptHash })) =>
  Array.from({ length: count }, (_, i) => `${JSON.stringify(line(i))}\n`).join('')
const run = (...args: string[]) => runTool('accounts', ['import', file, ...args], { env })
const summaryOf = ({ stdout }: CommandRun): unknown => JSON.parse(stdout)
const find = (username: string) =>
  createUpstashStore(
    testConfig({ UPSTASH_REDIS_REST_URL: bridge.url, UPSTASH_REDIS_REST_TOKEN: bridge.token }),
  ).findAccount(username)
const report = async (): Promise<unknown[]> =>
  (await readFile(`${file}.refused.ndjson`, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )
/** Accounts, and the names by which user ids find them: one each. */
const stored = async () => [(await direct.keys('account:*')).length, (await direct.keys('username:*')).length]

describe('npm run accounts -- import', () => {
  it('takes accounts over as they were, with their hashes sealed', async () => {
    const [ada, grace] = [
      {
        username: ' ADA',
        password_hash: bcryptHash,
        roles: ['teller', 'admin'],
        created_at: '2021-03-04T05:06:07+01:00',
      },
      { username: 'Grace', password_hash: bcryptHash, status: 'disabled', created_at: '2020-02-29' },
    ]
    await writeFile(file, `\ufeff${JSON.stringify(ada)}\r\n\n${JSON.stringify(grace)}`)
    const done = await run()
    expect(done).toMatchObject({ code: 0, stdout: 'Imported 2 accounts; 0 lines were refused.\n' })
    const { hash = '', ...account } = (await find('ada')) ?? {}
    expect(account).toEqual({
      userId: expect.stringMatching(/^[\w-]{22}$/),
      username: 'ada',
      status: 'active',
      roles: 'teller admin',
      createdAtMs: Date.parse('2021-03-04T04:06:07Z'),
    })
    const { hashSeal } = await deriveKeys(new Uint8Array(base64url.decode(testSecret)))
    expect(await openHash(hash, [hashSeal])).toBe(bcryptHash)
    expect(await find('grace')).toMatchObject({ status: 'disabled', roles: '', createdAtMs: Date.parse('2020-02-29') })
    expect([await exists(`${file}.progress`), await exists(`${file}.refused.ndjson`)]).toEqual([false, false])
  })

  it('refuses each line that is no account, with number, username and reason, and never a hash', async () => {
    const hashed = (hash: unknown) => JSON.stringify({ username: 'eve', password_hash: hash })
    const refused: readonly (readonly [string | Buffer, string])[] = [
      ['username,password', 'not JSON'],
      ['{"username":"eve","password_hash":', 'not JSON'],
      ['"eve"', 'expected object'],
      ['{"username":"eve"}', 'password_hash: '],
      [`{"password_hash":"${bcryptHash}"}`, 'username: '],
      [`{"username":"eve","password_hash":"${bcryptHash}","email":"e@example.com"}`, 'email'],
      [`{"username":"eve","password_hash":"${bcryptHash}","roles":["a b"]}`, 'visible ASCII'],
      [`{"username":"eve","password_hash":"${bcryptHash}","roles":"teller"}`, 'roles: '],
      [`{"username":"eve","password_hash":"${bcryptHash}","status":"locked"}`, 'status: '],
      [`{"username":"eve","password_hash":"${bcryptHash}","created_at":"yesterday"}`, 'ISO 8601'],
      [`{"username":"   ","password_hash":"${bcryptHash}"}`, '1 to 64 characters'],
      [`{"username":"e\\u200bve","password_hash":"${bcryptHash}"}`, 'invisible'],
      [hashed('5f4dcc3b5aa765d61d8327deb882cf99'), 'unknown scheme'],
      [hashed('$2b$12$abc'), 'malformed'],
      [hashed(bcryptHash.replace('$12$', '$14$')), 'too costly'],
      [hashed(null), 'password_hash: '],
      [hashed('$2b$12$'.padEnd(600, 'a')), 'longer than 512'],
      [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 'not UTF-8'],
      ['{'.padEnd(70_000, ' '), 'longer than 64 KiB'],
    ]
    const [first, second] = [lines(1), lines(2).split('\n')[1] ?? '']
    const parts = [...refused.flatMap(([line]) => [line, '\n']), first, second]
    await writeFile(file, Buffer.concat(parts.map((part) => Buffer.from(part))))
    const done = await run('--json')
    expect(done.code).toBe(1)
    expect(done.stderr).toBe('')
    expect(summaryOf(done)).toEqual({ imported: 2, refused: refused.length, refusals: `${file}.refused.ndjson` })
    const found = await report()
    const usernameOf = (line: string): unknown => {
      if (line.includes('"eve"') && line.endsWith('}')) return 'eve'
      return /"username":"(?! *eve)/.test(line) ? expect.any(String) : undefined
    }
    expect(found).toEqual(
      refused.map(([line, reason], i) => {
        return { line: i + 1, username: usernameOf(String(line)), reason: expect.stringContaining(reason) }
      }),
    )
    const told = JSON.stringify(found) + done.stdout
    for (const secret of ['5f4dcc3b', bcryptHash.slice(7)]) expect(told).not.toContain(secret)
    expect(await stored()).toEqual([2, 2])
  })

  it('refuses usernames that are taken, in the store or earlier in the file, and knows what it imported before', async () => {
    const other = foreignSamples[0]?.hash
    await writeFile(file, lines(1))
    await run()
    const again = { username: 'ada', password_hash: bcryptHash }
    const parts = [{ username: 'USER-0', password_hash: other }, again, { ...again, username: 'Ada' }, again]
    await writeFile(file, lines(3) + lines(parts.length, (i) => parts[i]))
    expect(summaryOf(await run('--json'))).toMatchObject({ imported: 3, refused: 4 })
    const sameHash = expect.stringContaining('this very hash')
    expect(await report()).toEqual([
      { line: 1, username: 'user-0', reason: sameHash },
      { line: 4, username: 'user-0', reason: 'The username is taken.' },
      { line: 6, username: 'ada', reason: sameHash },
      { line: 7, username: 'ada', reason: sameHash },
    ])
    expect(await stored()).toEqual([4, 4])
  })

  it('checks a file without any store, and writes nothing', async () => {
    await writeFile(file, `${lines(2)}${lines(1)}nonsense\n`)
    const check = (...args: string[]) => runTool('accounts', ['import', file, '--dry-run', ...args], { env: {} })
    const said = await check()
    expect(said).toMatchObject({ code: 1, stdout: expect.stringContaining('2 accounts could be imported') })
    expect(said.stderr).toContain('Line 3, user-0: The username stands in this file before.')
    expect(said.stderr).toContain('Line 4, no username: The line is not JSON.')
    const wanted = join(folder, 'report')
    expect(await check('--json')).toMatchObject({
      stdout: `${JSON.stringify({ imported: 2, refused: 2 })}\n`,
      stderr: '',
    })
    expect(summaryOf(await check('--json', '--refusals', wanted))).toMatchObject({ refusals: wanted })
    expect((await readFile(wanted, 'utf8')).split('\n')).toHaveLength(3)
    expect([await exists(`${file}.progress`), await direct.dbsize()]).toEqual([false, 0])
    await writeFile(file, lines(2))
    expect((await check()).code).toBe(0)
  })

  it('says in one sentence what is wrong with a file, and explains itself', async () => {
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining(`There is no file ${file}.`) })
    expect(await run('--dry-run')).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no file') })
    const ofFolder = await runTool('accounts', ['import', folder], { env })
    expect(ofFolder).toMatchObject({ code: 1, stderr: expect.stringContaining('is not a file') })
    await writeFile(file, 'nonsense\n')
    const nowhere = await run('--refusals', join(folder, 'no', 'such'))
    expect(nowhere).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/cannot be written \(ENOENT\).*--refusals/),
    })
    await mkdir(`${file}.progress.new`)
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing is imported') })
    expect((await runTool('accounts', ['import'], { env })).code).toBe(2)
    const help = await runTool('accounts', ['import', '--help'], { env: {} })
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('Exit codes') })
    expect(help.stdout).toContain('--dry-run\n')
  })

  it('shows how far it is, and is silent with --json', async () => {
    await writeFile(file, lines(2000))
    const { stderr } = await run()
    expect(stderr).toContain('100%: 2000 lines, 0 refused.\n')
    await direct.flushall()
    expect(await run('--json')).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('an import that was stopped', () => {
  const complete = async (count: number) => {
    const done = await run('--json')
    expect(summaryOf(done)).toEqual({ imported: count, refused: 0 })
    expect(await stored()).toEqual([count, count])
    expect(await exists(`${file}.progress`)).toBe(false)
  }

  it('by Ctrl-C ends after the batch under way, and goes on', async () => {
    await writeFile(file, lines(1000))
    const running = startTool('accounts', ['import', file], { env })
    onBatch = (nth) => {
      // npm passes it on to a process that has had it from the terminal.
      if (nth === 2) for (let i = 0; i < 2; i++) running.kill('SIGINT')
    }
    const stopped = await running.ended
    expect(stopped).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('Stopped. 400 lines are done'),
    })
    expect(await stored()).toEqual([400, 400])
    await complete(1000)
  })

  it('by an outage says how to go on; what was done and not noted counts as done', async () => {
    await writeFile(file, lines(1000))
    onBatch = (nth) => {
      if (nth === 3) proxy.mode('drop-replies')
    }
    const stopped = await run()
    expect(stopped).toMatchObject({ code: 3, stdout: '' })
    expect(stopped.stderr).toMatch(
      /cannot be reached.* 400 lines are done \(400 imported, 0 refused\): the same command/,
    )
    expect(await stored()).toEqual([600, 600])
    proxy.mode('refuse')
    expect((await run()).code).toBe(3)
    proxy.mode('pass')
    await complete(1000)
  })

  it('in the middle of a batch goes on in the middle', async () => {
    await writeFile(file, lines(300))
    // One that makes the script fail; those before it in the batch are made.
    const damaged = await createKeyNames(1).account('user-250')
    await direct.lpush(damaged, 'not an account')
    expect(await run()).toMatchObject({ code: 3, stderr: expect.stringContaining('200 lines are done') })
    await direct.del(damaged)
    expect(await stored()).toEqual([250, 250])
    await complete(300)
  })

  it('knows accounts that it made, whatever has become of them', async () => {
    await writeFile(file, lines(10))
    proxy.mode('drop-replies')
    expect((await run()).code).toBe(3)
    proxy.mode('pass')
    expect((await runTool('accounts', ['set-roles', 'user-3', 'teller'], { env })).code).toBe(0)
    await complete(10)
    expect(await find('user-3')).toMatchObject({ roles: 'teller' })
  })

  it('does not go on with another file, to another store, or from something else', async () => {
    await writeFile(file, lines(10))
    proxy.mode('drop-replies')
    expect((await run()).code).toBe(3)
    proxy.mode('pass')
    const elsewhere = await runTool('accounts', ['import', file], {
      env: { ...env, UPSTASH_REDIS_REST_URL: bridge.url },
    })
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining('went to another store') })
    await writeFile(file, lines(9))
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('has changed') })
    await writeFile(`${file}.progress`, '{}')
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining(`Delete ${file}.progress`) })
    await rm(`${file}.progress`)
    // Another seed: the accounts are those of an earlier import now.
    expect(summaryOf(await run('--json'))).toMatchObject({ imported: 0, refused: 9 })
  })
})
