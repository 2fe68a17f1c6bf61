import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { describeBalancer, findBalancer } from '../../src/local/fleet/balancer.ts'
import type { Fleet } from '../../src/local/fleet/fleet.ts'
import { startLoad } from '../../src/local/fleet/load.ts'
import { startFleet, type StartFleetOptions } from '../../src/local/fleet/start-fleet.ts'
import { gatewayForTests } from '../support/gateway.ts'

/** nginx and haproxy may be missing on a newcomer's machine; `gatewayForTests` says so. */
const nginx = await gatewayForTests(() => findBalancer('nginx', () => undefined))
const haproxy = await gatewayForTests(() => findBalancer('haproxy', () => undefined))

const credentials = { username: 'ada', password: 'correct horse battery', client_id: 'app' }

async function startTestFleet(options: Partial<StartFleetOptions> = {}): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-fleet-'))
  const fleet = await startFleet({ bundle: inject('clockWorker'), folder, ...options })
  const stop = async () => {
    await fleet.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { ...fleet, stop }
}

function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

async function signIn(url: string): Promise<string> {
  const answer = await post(`${url}/v1/login`, credentials)
  expect(answer.status).toBe(200)
  return refreshTokenIn(answer)
}

async function refreshTokenIn(answer: Response): Promise<string> {
  const body: unknown = await answer.json()
  if (typeof body !== 'object' || body === null || !('refresh_token' in body)) throw new Error('no tokens')
  return String(body.refresh_token)
}

/** Repeats one refresh until it is answered with something else than 503. */
async function refreshUntilAnswered(url: string, token: string): Promise<{ token: string; ms: number }> {
  const startedAtMs = performance.now()
  const attempt = { 'idempotency-key': randomUUID() }
  for (;;) {
    const answer = await post(`${url}/v1/refresh`, { refresh_token: token, client_id: 'app' }, attempt)
    const ms = performance.now() - startedAtMs
    if (answer.status !== 503) {
      expect(answer.status).toBe(200)
      return { token: await refreshTokenIn(answer), ms }
    }
    expect(ms, 'still 503').toBeLessThan(20_000)
    await answer.body?.cancel()
    await delay(50)
  }
}

async function serversOf(url: string, requests: number): Promise<(string | null)[]> {
  const servers: (string | null)[] = []
  for (let request = 0; request < requests; request += 1) {
    const answer = await fetch(`${url}/healthz`)
    servers.push(answer.headers.get('x-served-by'))
    expect(answer.headers.get('set-cookie')).toBeNull()
  }
  return servers
}

const settled = (fleet: Fleet) => expect.poll(() => fleet.isSettled(), { timeout: 20_000, interval: 100 }).toBe(true)

describe.runIf(nginx)('a fleet behind nginx', () => {
  let fleet: Fleet
  let secondsToStart: number

  beforeAll(async () => {
    const startedAtMs = performance.now()
    fleet = await startTestFleet()
    secondsToStart = (performance.now() - startedAtMs) / 1000
    await post(`${fleet.url}/v1/accounts`, credentials)
  })
  afterAll(() => fleet.stop())

  test('starts in seconds, with replicas in step and sentinels that agree', async () => {
    expect(secondsToStart).toBeLessThan(15)
    expect(await Promise.all(fleet.redis.map((redis) => redis.role()))).toEqual(['primary', 'replica', 'replica'])
    expect(await fleet.isSettled()).toBe(true)
  })

  test('lets consecutive requests of one client hit all servers in turn', async () => {
    const servers = await serversOf(fleet.url, 10)
    expect(new Set(servers)).toEqual(new Set(fleet.servers.map(({ name }) => name)))
    await expect.poll(() => [...fleet.counts().values()].every(({ requests }) => requests >= 2)).toBe(true)
  })

  test('keeps one session over refreshes that different servers answer', async () => {
    let token = await signIn(fleet.url)
    const servers = new Set<string | null>()
    for (let turn = 0; turn < 10; turn += 1) {
      const body = { refresh_token: token, client_id: 'app' }
      const answer = await post(`${fleet.url}/v1/refresh`, body, { 'idempotency-key': randomUUID() })
      expect(answer.status).toBe(200)
      servers.add(answer.headers.get('x-served-by'))
      token = await refreshTokenIn(answer)
    }
    expect(servers.size).toBe(5)
  })

  test('shows no error that one retry does not cure when any one server is killed under load', async () => {
    const load = startLoad({ url: fleet.url, users: 8, pauseMs: 5 })
    await expect.poll(() => load.tally().calls, { timeout: 10_000 }).toBeGreaterThan(100)
    for (const server of fleet.servers) {
      const before = load.tally().calls
      await server.kill()
      expect(server.isUp()).toBe(false)
      await expect.poll(() => load.tally().calls, { timeout: 10_000 }).toBeGreaterThan(before + 100)
      await server.revive()
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
      // nginx leaves a server alone for a second: until it is called again, another one that is killed is a second one missing.
      const requests = () => fleet.counts().get(server.name)?.requests ?? 0
      const seen = requests()
      await expect.poll(requests, { timeout: 10_000 }).toBeGreaterThan(seen)
    }
    await load.stop()
    expect(load.tally()).toMatchObject({ failed: 0, lost: 0 })
  })

  test('is writable again within seconds when the primary is killed, and keeps sessions', async () => {
    await settled(fleet)
    const token = await signIn(fleet.url)
    const old = await fleet.primary()
    await old?.kill()
    const first = await refreshUntilAnswered(fleet.url, token)
    expect(first.ms).toBeLessThan(15_000)
    const second = await refreshUntilAnswered(fleet.url, first.token)
    expect((await fleet.primary())?.name).not.toBe(old?.name)

    await old?.revive()
    await settled(fleet)
    expect(await old?.role()).toBe('replica')
    await refreshUntilAnswered(fleet.url, second.token)
  })

  test('comes back with the balancer and with a sentinel, at the same addresses', async () => {
    await fleet.balancer.kill()
    await expect(fetch(`${fleet.url}/healthz`)).rejects.toThrow('fetch failed')
    await fleet.balancer.revive()
    expect((await fetch(`${fleet.url}/healthz`)).status).toBe(200)
    const [sentinel] = fleet.sentinels
    await sentinel?.kill()
    expect(sentinel?.isUp()).toBe(false)
    await sentinel?.revive()
    await settled(fleet)
  })
})

describe.runIf(haproxy)('a fleet behind haproxy', () => {
  test('serves as well: every server in turn, two of them killed at once', async () => {
    const bridgePorts: number[] = []
    const fleet = await startTestFleet({
      balancer: 'haproxy',
      servers: 3,
      async betweenServersAndBridge(bridgePort) {
        bridgePorts.push(bridgePort)
        return { port: bridgePort, close: () => Promise.resolve() }
      },
    })
    onTestFinished(() => fleet.stop())
    expect(fleet.env.UPSTASH_REDIS_REST_URL).toBe(`http://127.0.0.1:${bridgePorts[0]}`)
    expect(new Set(await serversOf(fleet.url, 9))).toEqual(new Set(['server-1', 'server-2', 'server-3']))
    const load = startLoad({ url: fleet.url, users: 4, pauseMs: 5 })
    await expect.poll(() => load.tally().calls, { timeout: 10_000 }).toBeGreaterThan(50)
    await Promise.all([fleet.servers[0]?.kill(), fleet.servers[1]?.kill()])
    await expect.poll(() => load.tally().calls, { timeout: 10_000 }).toBeGreaterThan(300)
    await load.stop()
    expect(load.tally()).toMatchObject({ failed: 0, lost: 0 })
    expect(new Set(await serversOf(fleet.url, 6))).toEqual(new Set(['server-3']))
  })
})

describe('the balancers’ configurations', () => {
  const servers = [
    { name: 'server-1', port: 12_001 },
    { name: 'server-2', port: 12_002 },
  ]

  test.each(['nginx', 'haproxy'] as const)(
    'of %s ties no client to a server and repeats no sent POST',
    async (kind) => {
      const config = await describeBalancer({ kind, port: 12_000, servers, logPort: 12_003 })
      const directives = config.replaceAll(/#.*/gu, '')
      expect(directives).toContain('127.0.0.1:12002')
      expect(directives).not.toMatch(/\{(?:port|log_port|servers|names)\}/u)
      expect(directives).not.toMatch(/ip_hash|sticky|cookie|stick-table|balance (?:source|uri|hdr)|hash /iu)
      expect(directives).not.toMatch(/non_idempotent|empty-response|all-retryable|response-timeout/u)
    },
  )

  test('is a script of this project: npm run fleet', async () => {
    expect(await readFile('package.json', 'utf8')).toContain('"fleet": "node src/local/fleet/run.ts"')
  })
})
