import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { RedisProcess } from '../../src/local/redis-process.ts'
import { actor } from '../support/actor.ts'
import { operatorVariables, runTool, type CommandRun } from '../support/command-line.ts'
import { copyOfProject } from '../support/project-copy.ts'
import { knowing, rangeInterfaceForTest } from '../support/range-interface.ts'
import { startTestBridge, startTestRedis, type TestBridge } from '../support/redis.ts'
import { testConfig, testSecret } from '../support/stack.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { createHasher } from '../../src/accounts/hasher.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { systemRandom } from '../../src/system.ts'
import { ringTimes, tendRing } from '../../src/tokens/key-changes.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { base64url } from 'jose'

const otherSecret = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 5) % 256)).toString('base64url')
const listed = z.object({ keys: z.array(z.object({ kid: z.string(), state: z.string(), signs_from: z.string() })) })

let redis: RedisProcess
let bridge: TestBridge
let direct: Redis
let env: Record<string, string>
/** What no command may ever print. */
let printed: string[]

beforeAll(async () => {
  redis = await startTestRedis()
  bridge = await startTestBridge(redis.url)
  direct = new Redis(redis.url, { protocol: 2 })
})
afterAll(async () => {
  direct.disconnect()
  await bridge.close()
  await redis.stop()
})
beforeEach(async () => {
  await direct.flushall()
  printed = []
  env = operatorVariables(bridge)
  await firstKey()
})
/** No secret, no private key, sealed or not, and no stack trace. */
afterEach(() => {
  const all = printed.join('\n')
  const found = [testSecret, otherSecret, bridge.token, '"d":', 'eyJ', '    at '].filter((text) => all.includes(text))
  if (found.length > 0) throw new Error(`a command printed ${found.join(', ')}`)
})

async function keys(args: readonly string[], changes: Record<string, string> = {}): Promise<CommandRun> {
  const run = await runTool('keys', args, { env: { ...env, ...changes } })
  printed.push(run.stdout, run.stderr)
  return run
}

/** The ring as `list --json` tells it. */
async function list(changes?: Record<string, string>) {
  const { stdout } = await keys(['list', '--json'], changes)
  return listed.parse(JSON.parse(stdout)).keys
}

/** A ring as the service begins it. */
async function firstKey(): Promise<void> {
  const config = testConfig({ UPSTASH_REDIS_REST_URL: bridge.url, UPSTASH_REDIS_REST_TOKEN: bridge.token })
  const { keySeal } = await deriveKeys(config.secret)
  const tools = {
    store: createUpstashStore(config),
    seals: [keySeal],
    signingAlg: config.signingAlg,
    times: ringTimes(config),
    actor,
  } as const
  await tendRing(tools, Date.now())
}

describe('npm run keys', () => {
  it('lists the keys as a table for people and as JSON for programs', async () => {
    const [key] = await list()
    expect(key?.state).toBe('signing')
    const { code, stdout, stderr } = await keys(['list'])
    expect(code).toBe(0)
    expect(stdout).toContain(key?.kid)
    expect(stdout).toMatch(/ago|now/)
    expect(stdout).not.toContain('\u001B')
    expect(stderr).toContain(new URL(bridge.url).host)
  })

  it('rotates: a key is added that signs when verifiers know it, and the signing one goes on', async () => {
    const [before] = await list()
    expect((await keys(['rotate', '--yes'])).code).toBe(0)
    const [signing, next] = await list()
    expect(signing).toMatchObject({ kid: before?.kid, state: 'signing' })
    expect(next?.state).toBe('published')
    const aheadMs = Date.parse(next?.signs_from ?? '') - Date.now()
    expect(aheadMs).toBeGreaterThan(1_700_000)
    expect(aheadMs).toBeLessThanOrEqual(1_800_000)
  })

  it('adds one key when two rotate at the same moment', async () => {
    const runs = await Promise.all([keys(['rotate', '--yes', '--json']), keys(['rotate', '--yes', '--json'])])
    expect(runs.map(({ code }) => code)).toEqual([0, 0])
    const outcomes = runs.map(
      ({ stdout }) => z.object({ added: z.string().nullable() }).parse(JSON.parse(stdout)).added,
    )
    expect((await list()).length).toBe(1 + outcomes.filter((added) => added !== null).length)
  })

  it('withdraws a key by the beginning of its kid: the standby signs, and the feed is told', async () => {
    await keys(['rotate', '--yes'])
    const [signing, standby] = await list()
    const { code, stdout } = await keys(['withdraw', signing?.kid.slice(0, 8) ?? '', '--yes'])
    expect(code).toBe(0)
    expect(stdout).toContain(signing?.kid)
    const after = await list()
    expect(after.find(({ kid }) => kid === signing?.kid)?.state).toBe('withdrawn')
    expect(after.find(({ kid }) => kid === standby?.kid)?.state).toBe('signing')
    const entries = await direct.xrange('feed:{0}', '-', '+')
    expect(entries.map(([, fields]) => fields.slice(0, 4))).toEqual([['kind', 'kid', 'id', signing?.kid]])
    const exported = await keys(['export'])
    expect(exported.stdout).not.toContain(signing?.kid)
  })

  it('refuses a kid that is not there, and changes nothing', async () => {
    const before = await direct.get('keyring:{0}')
    const { code, stderr } = await keys(['withdraw', 'nobody', '--yes'])
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('nobody') })
    expect(await direct.get('keyring:{0}')).toBe(before)
  })

  it.each(['rotate', 'reseal', 'withdraw'])('does nothing without a yes: %s', async (command) => {
    const kid = (await list())[0]?.kid ?? ''
    const before = await direct.get('keyring:{0}')
    const rotated = { LATCHKEY_SECRET: otherSecret, LATCHKEY_SECRET_PREVIOUS: testSecret }
    const { code, stderr } = await keys(command === 'withdraw' ? [command, kid] : [command], rotated)
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('--yes') })
    expect(await direct.get('keyring:{0}')).toBe(before)
  })

  it('exports the public keys as a JWK Set', async () => {
    const { stdout } = await keys(['export'])
    const { keys: exported } = z.object({ keys: z.array(z.record(z.string(), z.string())) }).parse(JSON.parse(stdout))
    expect(exported.map((key) => Object.keys(key).toSorted())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']])
  })

  it('reseals the ring, so that the previous secret can go', async () => {
    const rotated = { LATCHKEY_SECRET: otherSecret, LATCHKEY_SECRET_PREVIOUS: testSecret }
    expect((await keys(['doctor'], { LATCHKEY_SECRET: otherSecret })).code).toBe(1)
    expect((await keys(['doctor'], rotated)).stdout).toContain('reseal')
    expect((await keys(['reseal', '--yes'], rotated)).code).toBe(0)
    expect((await keys(['doctor'], { LATCHKEY_SECRET: otherSecret })).stdout).toMatch(/^ok +secret/m)
    expect((await keys(['doctor'])).code).toBe(1)
  })

  it('finds with doctor what is wrong, and says what to do', async () => {
    await keys(['rotate', '--yes'])
    const fine = await keys(['doctor', '--json'])
    expect(fine.code).toBe(0)
    expect(JSON.parse(fine.stdout)).toMatchObject({ healthy: true })
    const misconfigured = await keys(['doctor'], { ACCESS_TTL_SECONDS: '601' })
    expect(misconfigured).toMatchObject({ code: 1, stdout: expect.stringContaining('ACCESS_TTL_SECONDS') })
    const unreachable = await keys(['doctor'], { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1' })
    expect(unreachable).toMatchObject({ code: 3, stdout: expect.stringContaining('cannot be reached') })
    const refused = await keys(['doctor'], { UPSTASH_REDIS_REST_TOKEN: 'wrong' })
    expect(refused).toMatchObject({ code: 3, stdout: expect.stringContaining('UPSTASH_REDIS_REST_TOKEN') })
    await direct.set('keyring:{0}', '{"keys":[]}')
    expect((await keys(['doctor'])).code).toBe(1)
  })

  it('says in one sentence that the store is away', async () => {
    const { code, stdout, stderr } = await keys(['list'], { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1' })
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toContain('cannot be reached')
  })

  it('explains itself, and tells wrong usage from refusal', async () => {
    for (const args of [['--help'], ['list', '--help'], ['withdraw', '--help'], ['doctor', '--help']])
      expect(await keys(args)).toMatchObject({ code: 0, stdout: expect.stringContaining('Exit codes') })
    for (const args of [['nonsense'], ['withdraw'], ['list', '--nope']]) expect((await keys(args)).code).toBe(2)
    const nowhere = await runTool('keys', ['list'], { env: {}, root: await copyOfProject() })
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('npm start') })
  })
})

describe('npm run keys -- init', () => {
  it('puts a fresh secret where only its owner can read it, and does not overwrite one unasked', async () => {
    const root = await copyOfProject()
    const run = (...args: string[]) => runTool('keys', ['init', ...args], { env: {}, root })
    const file = join(root, '.dev.vars')
    expect((await run()).code).toBe(0)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const first = await readFile(file, 'utf8')
    expect(first).toMatch(/^LATCHKEY_SECRET=[\w-]{43}$/m)
    expect((await run()).code).toBe(1)
    expect(await readFile(file, 'utf8')).toBe(first)
    const replaced = await run('--yes')
    expect(replaced.code).toBe(0)
    const second = await readFile(file, 'utf8')
    // The old one becomes the previous one: nobody is locked out.
    const secret = /=(.+)/.exec(first)?.[1] ?? ''
    expect(second).toContain(`LATCHKEY_SECRET_PREVIOUS=${secret}`)
    expect(replaced.stdout + replaced.stderr).not.toContain(secret)
  })

  it('prints a secret only when asked to', async () => {
    const root = await copyOfProject()
    const { code, stdout } = await runTool('keys', ['init', '--print'], { env: {}, root })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[\w-]{43}\n$/)
    await expect(stat(join(root, '.dev.vars'))).rejects.toThrow('ENOENT')
  })
})

describe('npm run accounts', () => {
  it('makes an account with roles where registration is closed, with a password from a pipe', async () => {
    const input = 'correct horse battery staple\n'
    const run = (name: string) =>
      runTool('accounts', ['create', name, '--roles', 'admin teller', '--json'], {
        env: { ...env, REGISTRATION: 'closed' },
        input,
      })
    const made = await run('Root')
    expect(JSON.parse(made.stdout)).toEqual({ user_id: expect.any(String), username: 'root' })
    const store = createUpstashStore(
      testConfig({ UPSTASH_REDIS_REST_URL: bridge.url, UPSTASH_REDIS_REST_TOKEN: bridge.token }),
    )
    const account = await store.findAccount('root')
    expect(account).toMatchObject({ status: 'active', roles: 'admin teller' })
    const { passwordSecret } = await deriveKeys(new Uint8Array(base64url.decode(testSecret)))
    const hasher = createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom })
    expect(await hasher.verify(account?.hash, input.trim())).toEqual({ ok: true, value: 'right' })
    expect(await run('ROOT')).toMatchObject({ code: 1, stderr: expect.stringContaining('taken') })
    printed.push(made.stdout, made.stderr)
  })

  it('disables, enables and gives roles', async () => {
    await runTool('accounts', ['create', 'Grace'], { env, input: 'correct horse battery staple\n' })
    const run = async (...args: string[]) =>
      JSON.parse((await runTool('accounts', [...args, '--json'], { env })).stdout)
    const grace = { user_id: expect.any(String), username: 'grace', ended_sessions: 0 }
    expect(await run('set-roles', 'GRACE', 'teller')).toEqual({ ...grace, roles: 'teller', status: 'active' })
    expect(await run('disable', 'grace')).toEqual({ ...grace, roles: 'teller', status: 'disabled' })
    expect(await run('enable', 'grace')).toEqual({ ...grace, roles: 'teller', status: 'active' })
    expect(await run('set-roles', 'grace')).toEqual({ ...grace, roles: '', status: 'active' })
    const said = await runTool('accounts', ['disable', 'grace'], { env })
    expect(said.stdout).toBe('grace is disabled; 0 sessions were ended.\n')
    const unknown = await runTool('accounts', ['enable', 'nobody'], { env })
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('no account') })
  })

  it('refuses what registration refuses', async () => {
    const short = await runTool('accounts', ['create', 'ada'], { env, input: 'short\n' })
    expect(short).toMatchObject({ code: 1, stderr: expect.stringContaining('at least 15 characters') })
    const common = await runTool('accounts', ['create', 'ada'], { env, input: 'passwordpassword\n' })
    expect(common).toMatchObject({ code: 1, stderr: expect.stringContaining('most common') })
    const roles = await runTool('accounts', ['create', 'ada', '--roles', 'a\nb'], { env, input: 'x' })
    expect(roles).toMatchObject({ code: 1, stderr: expect.stringContaining('--roles') })
    expect((await runTool('accounts', ['create'], { env })).code).toBe(2)
  })
})

describe('npm run accounts where breached passwords are looked up', () => {
  const create = (at: string, input: string) =>
    runTool('accounts', ['create', 'ada'], { env: { ...env, BREACHED_PASSWORDS: at }, input })

  it('refuses one that is known, and says when it could not look', async () => {
    const breached = 'hunter two hunter three'
    const range = await rangeInterfaceForTest(knowing(breached))
    expect(await create(range.url, `${breached}\n`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('breach'),
    })
    const broken = await rangeInterfaceForTest((_, response) => response.writeHead(500).end())
    expect(await create(broken.url, `${breached}\n`)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('could not be looked up'),
    })
  })
})

describe('npm run deploy', () => {
  it('refuses while wrangler.toml is the example, and while secrets are missing', async () => {
    const { code, stdout, stderr } = await runTool('deploy', ['--dry-run'], { env: {} })
    expect(code).toBe(1)
    expect(stdout).toContain('LATCHKEY_SECRET: is missing')
    expect(stdout).toContain('still the example')
    expect(stderr).toContain('Not deployed')
  })

  it('explains itself', async () => {
    expect(await runTool('deploy', ['--help'], { env: {} })).toMatchObject({ code: 0 })
    expect((await runTool('deploy', ['--nope'], { env: {} })).code).toBe(2)
  })
})
