/** The operator's tool when something else is wrong, too: races, clocks, secrets, terminals. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { base64url } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { projectRoot } from '../../src/local/project.ts'
import type { RedisProcess } from '../../src/local/redis-process.ts'
import { signingKey, stateOf, writeRing, parseRing, type Ring } from '../../src/tokens/ring.ts'
import { ringTimes } from '../../src/tokens/key-changes.ts'
import { makeKey } from '../../src/tokens/sealed-key.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { operatorVariables, runTool } from '../support/command-line.ts'
import { startTestBridge, startTestRedis, type TestBridge } from '../support/redis.ts'
import { testConfig, testSecret } from '../support/stack.ts'

const otherSecret = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 5) % 256)).toString('base64url')
const HOUR_MS = 3_600_000
const changed = z.object({ rotated: z.boolean().optional(), withdrawn: z.boolean().optional() })

let redis: RedisProcess
let bridge: TestBridge
let direct: Redis
let env: Record<string, string>
let signing: string
let standby: string

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
  env = operatorVariables(bridge)
  await direct.flushall()
  await storeKeys(() => true)
})

/** A key that signs and a standby, drawn until their kids are as wanted. */
async function storeKeys(areWanted: (kids: readonly string[]) => boolean): Promise<void> {
  const { keySeal } = await deriveKeys(new Uint8Array(base64url.decode(testSecret)))
  const now = Date.now()
  for (;;) {
    const ring = [
      await makeKey('ES256', [keySeal], { created: now - 2 * HOUR_MS, active_from: now - 2 * HOUR_MS }),
      await makeKey('ES256', [keySeal], { created: now - HOUR_MS, active_from: now + 700 * HOUR_MS }),
    ]
    const kids = ring.map(({ kid }) => kid)
    if (!areWanted(kids)) continue
    ;[signing = '', standby = ''] = kids
    await direct.set('keyring:{0}', writeRing(ring))
    return
  }
}

const keys = (args: readonly string[], changes: Record<string, string> = {}) =>
  runTool('keys', args, { env: { ...env, ...changes } })

const falseFirst = (a = false, b = false) => Number(a) - Number(b)

async function storedRing(): Promise<Ring> {
  return parseRing((await direct.get('keyring:{0}')) ?? '')
}

/** The state of a key as a server with the right time sees it. */
async function stateNow(kid: string): Promise<string> {
  const ring = await storedRing()
  const key = ring.find((each) => each.kid === kid)
  return key ? stateOf(key, ring, Date.now(), ringTimes(testConfig())) : 'missing'
}

/** In front of the bridge: holds the first scripts back until `parties` of them have come, so that all have read before. */
async function startTurnstile(parties: number): Promise<string> {
  let come = 0
  let open: () => void = () => undefined
  const all = new Promise<void>((resolve) => (open = resolve))
  const server = createServer((request, response) => {
    const forward = async () => {
      const body = await text(request)
      if (/^\["evalsha"/i.test(body) && ++come <= parties) {
        if (come === parties) open()
        await all
      }
      const headers = {
        authorization: request.headers.authorization ?? '',
        'upstash-encoding': String(request.headers['upstash-encoding'] ?? ''),
      }
      const answer = await fetch(`${bridge.url}${request.url}`, { method: 'POST', body, headers })
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
    }
    forward().catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${address && typeof address === 'object' ? address.port : ''}`
}

/** A machine whose clock is wrong. */
function clockOff(ms: number): Record<string, string> {
  const preload = `const now=Date.now;Date.now=()=>now()+${ms}`
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}` }
}

describe('changes at the same moment', () => {
  it('add one key when two rotate', async () => {
    const url = { UPSTASH_REDIS_REST_URL: await startTurnstile(2) }
    const runs = await Promise.all([1, 2].map(() => keys(['rotate', '--yes', '--json'], url)))
    expect(runs.map(({ code }) => code)).toEqual([0, 0])
    const outcomes = runs.map(({ stdout }) => changed.parse(JSON.parse(stdout)).rotated)
    expect(outcomes.toSorted(falseFirst)).toEqual([false, true])
    expect(await storedRing()).toHaveLength(3)
  })

  it('do not let a compromised key live on when its withdrawal loses to another change', async () => {
    const url = { UPSTASH_REDIS_REST_URL: await startTurnstile(2) }
    const [rotated, withdrawn] = await Promise.all([
      keys(['rotate', '--yes', '--json'], url),
      keys(['withdraw', signing, '--yes', '--json'], url),
    ])
    expect([rotated.code, withdrawn.code]).toEqual([0, 0])
    expect(changed.parse(JSON.parse(withdrawn.stdout)).withdrawn).toBe(true)
    expect(await stateNow(signing)).toBe('withdrawn')
    expect(await stateNow(standby)).toBe('signing')
  })

  it('announce a key once when two withdraw it', async () => {
    const url = { UPSTASH_REDIS_REST_URL: await startTurnstile(2) }
    const runs = await Promise.all([1, 2].map(() => keys(['withdraw', signing, '--yes', '--json'], url)))
    expect(runs.map(({ code }) => code)).toEqual([0, 0])
    const outcomes = runs.map(({ stdout }) => changed.parse(JSON.parse(stdout)).withdrawn)
    expect(outcomes.toSorted(falseFirst)).toEqual([false, true])
    expect(await direct.xlen('feed:{0}')).toBe(1)
  })
})

describe('an operator whose clock is wrong', () => {
  it.each([-HOUR_MS, HOUR_MS])('withdraws a key at once all the same (%i ms)', async (ms) => {
    const { code } = await keys(['withdraw', signing, '--yes'], clockOff(ms))
    expect(code).toBe(0)
    expect(await stateNow(signing)).toBe('withdrawn')
    expect(signingKey(await storedRing(), Date.now())?.kid).toBe(standby)
  })

  it.each([
    [0, 0, 'ok'],
    [-10_000, 0, 'warning'],
    [10_000, 0, 'warning'],
    [40_000, 1, 'problem'],
  ])('is told by doctor (%i ms)', async (ms, code, status) => {
    const run = await keys(['doctor'], clockOff(ms))
    expect(run.stdout).toMatch(new RegExp(`^${status} +clock`, 'm'))
    expect(run.code).toBe(code)
  })
})

describe('an operator with the wrong secret', () => {
  it.each([['rotate'], ['reseal'], ['withdraw', 'KID']])('cannot break the ring: %s', async (...args) => {
    const before = await direct.get('keyring:{0}')
    const command = args.map((word) => (word === 'KID' ? signing : word))
    const { code, stdout, stderr } = await keys([...command, '--yes'], { LATCHKEY_SECRET: otherSecret })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('sealed under another secret')
    expect(await direct.get('keyring:{0}')).toBe(before)
  })
})

describe('a kid', () => {
  it('may begin with a hyphen, and with letters that are an option elsewhere', async () => {
    await storeKeys((kids) => kids.some((kid) => kid.startsWith('-')))
    const kid = (await storedRing()).find((key) => key.kid.startsWith('-'))?.kid ?? ''
    const { code, stdout } = await keys(['withdraw', kid.slice(0, 9), '--yes'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`Withdrawn: ${kid}`) })
    for (const unknown of ['-hZW', '--json-is-not-meant']) {
      const refused = await keys(['withdraw', unknown, '--yes'])
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`no such key: ${unknown}`) })
    }
    expect((await keys(['withdraw', signing, '--jsno'])).code).toBe(2)
  })

  it('is not guessed when two keys begin alike', async () => {
    await storeKeys(([first = '', second = '']) => first.charAt(0) === second.charAt(0) && first.charAt(0) !== '-')
    const before = await direct.get('keyring:{0}')
    const { code, stderr } = await keys(['withdraw', signing.slice(0, 1), '--yes'])
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`${signing}, ${standby}`) })
    expect(await direct.get('keyring:{0}')).toBe(before)
  })

  it('that was withdrawn before is left as it is', async () => {
    await keys(['withdraw', signing, '--yes'])
    const after = await direct.get('keyring:{0}')
    const { code, stdout } = await keys(['withdraw', signing, '--yes'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('Nothing to do') })
    expect(await direct.get('keyring:{0}')).toBe(after)
  })
})

describe('at a terminal', () => {
  /** `script` gives the tool a terminal, and types the answer. */
  async function atTerminal(command: string, answer: string): Promise<string> {
    const line = `'${process.execPath}' --import ./src/local/lua-text.ts keys/keys.ts ${command}`
    const child = spawn('script', ['-qec', line, '/dev/null'], {
      cwd: projectRoot,
      env: { PATH: process.env.PATH, TERM: 'dumb', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    let printed = ''
    child.stdout.on('data', (chunk) => {
      printed += String(chunk)
      if (printed.includes('Go on?') && child.stdin.writable) child.stdin.end(`${answer}\n`)
    })
    await once(child, 'close')
    return printed
  }

  it('asks, and does it after a yes only', async () => {
    expect(await atTerminal('rotate', 'n')).toContain('Nothing was done')
    expect(await storedRing()).toHaveLength(2)
    expect(await atTerminal('rotate', 'y')).toContain('was added')
    expect(await storedRing()).toHaveLength(3)
  })
})
