import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { inject, onTestFinished } from 'vitest'
import type { BridgeOptions, BridgeRequest } from '../../src/local/bridge.ts'
import type { RedisProcess } from '../../src/local/redis-process.ts'
import { parseConfig, type Config } from '../../src/config.ts'
import type { Store } from '../../src/store/store.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { ringTimes, type RingTools } from '../../src/tokens/key-changes.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { startWorkerd } from '../../src/local/workerd-process.ts'
import { actor } from './actor.ts'
import { startTestBridge, startTestRedis } from './redis.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export const issuer = 'https://auth.example.com'
export const webOrigin = 'https://app.example.com'
export const audience = 'https://api.example.com'
export const apiSecret = 'a-service-secret-only-used-in-tests'
/** With characters that a form-encoded Basic header must escape. */
export const backendSecret = 'a+secret/of a:backend%only=used&in-tests'
/** 32 bytes; the tests' own. */
export const testSecret = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'

function digestOf(secret: string): string {
  return `sha256:${createHash('sha256').update(secret).digest('base64url')}`
}

const clients = [
  { id: 'web', kind: 'browser', origins: [webOrigin], audiences: [audience] },
  { id: 'admin-web', kind: 'browser', origins: ['https://admin.example.com'], audiences: [audience] },
  { id: 'app', kind: 'native', audiences: [audience], scope: 'accounts:read' },
  { id: 'tablet', kind: 'native', audiences: ['https://other.example.com', audience] },
  { id: 'vault', kind: 'native', audiences: [audience], scope: 'accounts:read accounts:write', access_token: 'opaque' },
  { id: 'backend', kind: 'native', audiences: [audience], scope: 'a b c', secret_digest: digestOf(backendSecret) },
  { id: 'api', kind: 'service', audiences: [audience], secret_digest: digestOf(apiSecret) },
  { id: 'other-api', kind: 'service', audiences: ['https://other.example.com'], secret_digest: digestOf(apiSecret) },
]

/** The variables of a complete, valid configuration. */
export const testVariables: Record<string, string> = {
  ISSUER: issuer,
  LATCHKEY_SECRET: testSecret,
  UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
  UPSTASH_REDIS_REST_TOKEN: 'unused',
  CLIENTS: JSON.stringify(clients),
  REGISTRATION: 'open',
  REFRESHES_PER_MINUTE: '0',
}

/** The configuration of {@link testVariables}, with changes. @throws if it is refused */
export function testConfig(changes: Readonly<Record<string, string>> = {}): Config {
  const config = parseConfig({ ...testVariables, ...changes })
  if (!config.ok) throw new Error(config.problems.join('\n'))
  return config.value
}

export interface StackOptions {
  /** Variables over {@link testVariables}. */
  readonly env?: Readonly<Record<string, string>>
  /** How many Workers share the store; requests go to them in turn. */
  readonly servers?: number
  readonly scriptForm?: BridgeOptions['scriptForm']
  readonly redisConfig?: string[]
  /** The folder of the page, where there is one. */
  readonly page?: string
  /** A Redis that goes on when the stack is stopped; by default the stack has its own. */
  readonly sharedRedis?: RedisProcess
}

/** Real parts, wired as in production: Workers in workerd, a proxy that injects faults, the bridge, redis-server. */
export interface Stack {
  readonly redis: RedisProcess
  /** Between the Workers and the bridge. */
  readonly proxy: TcpProxy
  /** What reached the bridge since the last {@link Stack.forgetStoreRequests}, in order. */
  readonly storeRequests: readonly BridgeRequest[]
  /** What the Workers logged, as events. */
  readonly events: readonly Record<string, unknown>[]
  /** Everything that the Workers and workerd printed. */
  readonly printed: readonly string[]
  forgetStoreRequests(): void
  /** Sends a request to the next Worker. */
  request(path: string, init?: RequestInit): Promise<Response>
  /** Sends a request to one Worker. */
  requestTo(server: number, path: string, init?: RequestInit): Promise<Response>
  /** How much memory one Worker's process holds, in bytes. */
  memoryOf(server: number): Promise<number>
  /** The base URL of one Worker. */
  addressOf(server: number): string
  /** Moves the clocks of all Workers. */
  advanceClock(ms: number): Promise<void>
  /** What the Workers' clocks say. */
  nowMs(): number
  /** What the operator's tool would use: the same store and secret, past the proxy. */
  operator(): Promise<RingTools>
  /** The store as the operator's tool has it. */
  store(): Store
  stop(): Promise<void>
}

export async function startStack({
  env = {},
  servers = 1,
  scriptForm,
  redisConfig,
  page,
  sharedRedis,
}: StackOptions = {}): Promise<Stack> {
  const storeRequests: BridgeRequest[] = []
  const printed: string[] = []
  const events: Record<string, unknown>[] = []
  const redis = sharedRedis ?? (await startTestRedis({ extraConfig: redisConfig ?? [] }))
  const bridge = await startTestBridge(redis.url, {
    onRequest: (request) => storeRequests.push(request),
    ...(scriptForm && { scriptForm }),
  })
  const proxy = await startTcpProxy({ targetPort: bridge.port })
  const variables = {
    ...testVariables,
    UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${proxy.port}`,
    UPSTASH_REDIS_REST_TOKEN: bridge.token,
    ...env,
  }
  const onLine = (line: string) => {
    printed.push(line)
    if (line.startsWith('{')) events.push(JSON.parse(line))
  }
  const bundle = inject('clockWorker')
  const workers = await Promise.all(
    Array.from({ length: servers }, () => startWorkerd({ bundle, env: variables, page, onLine })),
  )
  let offsetMs = 0
  let turn = 0
  const requestTo = (server: number, path: string, init?: RequestInit) =>
    fetch(`${workers[server % servers]?.url}${path}`, { redirect: 'manual', ...init })
  return {
    redis,
    proxy,
    storeRequests,
    events,
    printed,
    forgetStoreRequests: () => void storeRequests.splice(0),
    request: (path, init) => requestTo(turn++, path, init),
    requestTo,
    memoryOf: async (server) => {
      const status = await readFile(`/proc/${workers[server % servers]?.pid}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
    },
    addressOf: (server) => workers[server % servers]?.url ?? '',
    operator: () => operatorOf({ ...variables, UPSTASH_REDIS_REST_URL: bridge.url }),
    store: () => createUpstashStore(testConfig({ ...variables, UPSTASH_REDIS_REST_URL: bridge.url })),
    nowMs: () => Date.now() + offsetMs,
    async advanceClock(ms) {
      offsetMs += ms
      for (const [server] of workers.entries())
        await requestTo(server, '/test/clock', { method: 'POST', body: String(ms) })
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()))
      await proxy.close()
      await bridge.close()
      if (redis !== sharedRedis) await redis.stop()
    },
  }
}

async function operatorOf(variables: Readonly<Record<string, string>>): Promise<RingTools> {
  const config = testConfig(variables)
  const current = await deriveKeys(config.secret)
  const previous = config.previousSecret ? [await deriveKeys(config.previousSecret)] : []
  return {
    store: createUpstashStore(config),
    seals: [current.keySeal, ...previous.map(({ keySeal }) => keySeal)],
    signingAlg: config.signingAlg,
    times: ringTimes(config),
    actor,
  }
}

/** A stack for one test, ended with it. */
export async function stackForTest(options?: StackOptions): Promise<Stack> {
  const stack = await startStack(options)
  onTestFinished(() => stack.stop())
  return stack
}
