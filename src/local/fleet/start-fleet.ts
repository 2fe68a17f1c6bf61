/** Several auth servers behind a balancer, and a Redis that fails over: all of it real, on the loopback interface. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseConfig } from '../../config.ts'
import { startBridge } from '../bridge.ts'
import { describeEnvironment } from '../environment.ts'
import { redisCacheFolder } from '../project.ts'
import { findRedisServer } from '../redis-binary.ts'
import type { WorkerBundle } from '../worker-bundle.ts'
import { startWorkerd } from '../workerd-process.ts'
import { type BalancerKind, findBalancer, startBalancer } from './balancer.ts'
import type { Fleet, FleetServer } from './fleet.ts'
import { type Guardian, startGuardian } from './guardian.ts'
import { allOf, startPart } from './part.ts'
import { pickPorts } from './ports.ts'
import { startRedisGroup } from './redis-group.ts'
import { startRequestLog } from './request-log.ts'

export interface StartFleetOptions {
  readonly bundle: WorkerBundle
  /** The fleet's own, made when missing. Accounts and sessions of an earlier fleet there are removed. */
  readonly folder: string
  /** How many auth servers; 5 by default. */
  readonly servers?: number
  /** nginx by default. */
  readonly balancer?: BalancerKind
  /** The balancer's; a free one by default. */
  readonly port?: number
  /**
   * Variables of the Worker over those of the local stack, and `API_CLIENT_SECRET`. Secrets not given are made up; the
   * store is always the fleet's own.
   */
  readonly env?: Readonly<Record<string, string>>
  /** Gets each line that a part prints, with the part's name. */
  readonly onLine?: (name: string, line: string) => void
  /** Puts something between the servers and the bridge, such as a proxy that injects faults; servers go to its port. */
  readonly betweenServersAndBridge?: (bridgePort: number) => Promise<{ port: number; close(): Promise<void> }>
}

/** The variables make no valid configuration; the message has every problem. */
export class FleetConfigError extends Error {
  override name = 'FleetConfigError'
}

/** Servers make the key ring when they are first asked: one makes it, the others read it. */
const readyPatienceMs = 20_000

/**
 * Resolves when every server is ready, the replicas hold what the primary does, and the sentinels can bring a failover
 * about. Should this process end without stopping the fleet, even by kill -9, the fleet ends too.
 *
 * @throws {FleetConfigError} {MissingRedisError} {MissingGatewayError} {RedisStartError} {GatewayStartError} and whatever
 * else keeps a part from starting; what had been started is stopped then.
 */
export async function startFleet(options: StartFleetOptions): Promise<Fleet> {
  const started: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const each of started.splice(0).toReversed()) await each()
  }
  try {
    return { ...(await start(options, (each) => void started.push(each))), stop }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}

type OnStarted = (stop: () => Promise<unknown>) => void

async function start(options: StartFleetOptions, onStarted: OnStarted): Promise<Omit<Fleet, 'stop'>> {
  const { bundle, folder, balancer: kind = 'nginx', onLine = () => undefined } = options
  const progress = (line: string) => onLine('fleet', line)
  const redisBinary = await findRedisServer({ cacheFolder: redisCacheFolder, onProgress: progress })
  const balancerBinary = await findBalancer(kind, progress)
  await mkdir(folder, { recursive: true })

  const guardian = await startGuardian()
  onStarted(guardian.close)
  const group = await startRedisGroup({
    binary: redisBinary,
    folder: join(folder, 'redis'),
    guardian,
    onLine,
    onStarted,
  })
  const token = randomBytes(32).toString('base64url')
  const bridge = await startBridge({ redisUrl: group.place, token })
  onStarted(bridge.close)
  const between = await options.betweenServersAndBridge?.(bridge.port)
  if (between) onStarted(() => between.close())

  const [freePort = 0] = await pickPorts(1)
  const port = options.port || freePort
  const url = `http://localhost:${port}`
  // A few users of the load stand for many: they refresh more often than one person does.
  const noLimit = { REFRESHES_PER_MINUTE: '0' }
  const secrets = { LATCHKEY_SECRET: madeUp(), API_CLIENT_SECRET: madeUp(), ...noLimit, ...options.env }
  const store = { url: `http://127.0.0.1:${between?.port ?? bridge.port}`, token }
  const env = {
    ...describeEnvironment({ baseUrl: url, store, devVars: secrets, shell: {} }),
    UPSTASH_REDIS_REST_URL: store.url,
    UPSTASH_REDIS_REST_TOKEN: store.token,
  }
  const config = parseConfig(env)
  if (!config.ok) throw new FleetConfigError(`The configuration is not right.\n  ${config.problems.join('\n  ')}`)

  const servers = await startServers({ bundle, env, guardian, onLine, onStarted, count: options.servers ?? 5 })
  const log = await startRequestLog()
  onStarted(log.close)
  const balancer = await startPart({
    name: 'balancer',
    guardian,
    start: () =>
      startBalancer({
        kind,
        binary: balancerBinary,
        folder: join(folder, kind),
        port,
        servers,
        logPort: log.port,
        onLine: (line) => onLine('balancer', line),
      }),
  })
  onStarted(balancer.stop)
  await Promise.all([group.guarded, ...servers.map((server) => untilOk(`${server.url}/readyz`))])
  return {
    url,
    env,
    apiSecret: secrets.API_CLIENT_SECRET,
    servers,
    redis: group.redis,
    sentinels: group.sentinels,
    balancer,
    primary: group.primary,
    isSettled: group.isSettled,
    counts: log.counts,
  }
}

interface ServerOptions {
  readonly bundle: WorkerBundle
  readonly env: Readonly<Record<string, string>>
  readonly guardian: Guardian
  readonly onLine: (name: string, line: string) => void
  readonly onStarted: OnStarted
  readonly count: number
}

async function startServers(options: ServerOptions): Promise<(FleetServer & { port: number })[]> {
  const { bundle, env, guardian, onLine, onStarted, count } = options
  const ports = await pickPorts(count)

  async function launch(port: number, index: number): Promise<FleetServer & { port: number }> {
    const name = `server-${index + 1}`
    const url = `http://127.0.0.1:${port}`
    const part = await startPart({
      name,
      guardian,
      start: async () => {
        const server = await startWorkerd({ bundle, env, port, onLine: (line) => onLine(name, line) })
        await untilOk(`${url}/healthz`)
        return server
      },
    })
    onStarted(part.stop)
    return { ...part, url, port }
  }

  return allOf(ports.map(launch))
}

/** @throws what was answered last when it is not 2xx for long */
async function untilOk(url: string): Promise<void> {
  const giveUpAtMs = performance.now() + readyPatienceMs
  let said = 'nothing'
  while (performance.now() < giveUpAtMs) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    said = (await answer?.text()) ?? said
    await delay(50)
  }
  throw new Error(`A server did not become ready. It said: ${said}`)
}

const madeUp = () => randomBytes(32).toString('base64url')
