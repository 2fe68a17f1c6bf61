/** Where everything runs that is measured: each part is started when the first item asks for it. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { z } from 'zod'
import { describeEnvironment } from '../../src/local/environment.ts'
import { pickPorts } from '../../src/local/fleet/ports.ts'
import { buildWorker, type WorkerBundle } from '../../src/local/worker-bundle.ts'
import { installPeers, peersFolder } from './install-peers.ts'
import { createOperator, supplyFrom, type Operator } from './operator.ts'
import { startPlace } from './places/place.ts'
import { buildRevision, type Revision } from './revision.ts'
import { openWeb, type Web } from './web.ts'

/** A Redis, and the bridge in front of it. */
export interface StorePlace {
  readonly redisUrl: string
  /** Of the bridge, as is the token. */
  readonly url: string
  readonly token: string
  /** A connection past the bridge. */
  readonly direct: Redis
}

/** A service that can be called, and what its operator can do. */
export interface Latchkey {
  readonly web: Web
  readonly env: Readonly<Record<string, string>>
  readonly operator: Operator
  /** Of its one process; nothing where there are several. */
  readonly pid?: number
}

export interface Stage {
  /** The store that everything shares but the fleet. */
  store(): Promise<StorePlace>
  /** Another one, for what must not share it. */
  anotherStore(): Promise<StorePlace>
  /** The production bundle, and those of `test/workerd`. */
  bundle(which: 'latchkey' | 'limits' | 'bare'): Promise<WorkerBundle>
  /** One process on the shared store. */
  latchkey(): Promise<Latchkey>
  /** One process on another store. */
  anotherLatchkey(store: StorePlace): Promise<Latchkey>
  /** One process that a profiler can look into, on a store of its own: its bundle is not minified. */
  inspected(): Promise<Latchkey & { readonly inspector: string; readonly bundle: WorkerBundle }>
  /** One process of another commit, on a store of its own: what is stored may have another shape. */
  revision(
    revision: Revision,
  ): Promise<Pick<Latchkey, 'web' | 'env'> & { readonly operator: ReturnType<typeof supplyFrom> }>
  /** Five processes behind a balancer, with a store of their own. */
  fleet(): Promise<Latchkey>
  /** An alternative, on the shared store, in a database of its own. */
  peer(name: PeerName): Promise<Web>
  /** The Worker that does one thing for each route. */
  limits(): Promise<Web>
  /** What else is to be stopped in the end. */
  atEnd(stop: () => Promise<unknown>): void
  /** Stops what was started, newest first. */
  stop(): Promise<void>
}

const fileOf = (place: string) => fileURLToPath(new URL(`./places/${place}.ts`, import.meta.url))
const storeReady = z.object({ redisUrl: z.string(), url: z.string(), token: z.string() })
const workerReady = z.object({ url: z.string(), pid: z.number(), inspector: z.string().optional() })
const fleetReady = z.object({ url: z.string(), env: z.record(z.string(), z.string()) })

const peerReady = z.object({ url: z.string() })

/** Databases of the shared Redis. Latchkey's is 0. */
export const peerDatabases = { 'better-auth': 1, 'oidc-provider': 2, openauth: 3, 'express-session': 4 } as const
export type PeerName = keyof typeof peerDatabases

/** A deadline for the store that a busy machine keeps (in production it is 0.8 seconds), and no limits: one caller stands for many. */
const patience = {
  STORE_TIMEOUT_MS: '10000',
  REFRESHES_PER_MINUTE: '0',
  INTROSPECTIONS_PER_SECOND: '0',
  REGISTRATIONS_PER_HOUR: '0',
}

/** What a script must do at least to be of any use: it reads its key. */
const leastScript = "return redis.call('GET', KEYS[1])"
const madeUp = () => randomBytes(32).toString('base64url')

export function createStage(say: (line: string) => void, signal: AbortSignal): Stage {
  const stops: (() => Promise<unknown>)[] = []

  /** Starts it when it is first asked for; what was started is stopped in the end. */
  function once<T>(start: () => Promise<T>): () => Promise<T> {
    let started: Promise<T> | undefined
    return () => (started ??= start())
  }

  async function startAt<T>(options: Parameters<typeof startPlace<T>>[0]): Promise<T> {
    const place = await startPlace(options)
    stops.push(() => place.stop())
    return place.ready
  }

  function opened(url: string): Web {
    const web = openWeb(url)
    stops.push(() => web.close())
    return web
  }

  const folder = once(async () => {
    const made = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
    stops.push(() => rm(made, { recursive: true, force: true }))
    return made
  })
  async function buildTestWorker(name: string): Promise<WorkerBundle> {
    return buildWorker(join(await folder(), name), [`test/workerd/${name}-worker.ts`])
  }
  const bundles = {
    latchkey: once(async () => {
      say('Building the Worker…')
      return buildWorker(join(await folder(), 'latchkey'))
    }),
    async peer(name: PeerName) {
      const peer = peers.get(name) ?? startPeer(name)
      peers.set(name, peer)
      return peer
    },
    limits: once(() => buildTestWorker('limits')),
    bare: once(() => buildTestWorker('bare')),
  }

  async function anotherStore(): Promise<StorePlace> {
    const ready = await startAt({ file: fileOf('store'), settings: {}, ready: storeReady })
    const direct = new Redis(ready.redisUrl, { protocol: 2 })
    // Ctrl-C may end Redis before this connection is closed; a command that needs it fails by itself.
    direct.on('error', () => undefined)
    stops.push(async () => direct.disconnect())
    return { ...ready, direct }
  }
  const store = once(anotherStore)

  async function startLatchkey({ url, token }: StorePlace, how: { bundle: WorkerBundle; inspect?: boolean }) {
    const [port = 0] = await pickPorts(1)
    const devVars = { LATCHKEY_SECRET: madeUp(), API_CLIENT_SECRET: madeUp() }
    const described = describeEnvironment({
      baseUrl: `http://localhost:${port}`,
      store: { url, token },
      devVars,
      shell: patience,
    })
    const env: Latchkey['env'] = { ...described, API_CLIENT_SECRET: devVars.API_CLIENT_SECRET }
    const settings = { ...how, env, port }
    const { url: workerUrl, ...rest } = await startAt({ file: fileOf('worker'), settings, ready: workerReady })
    return { web: opened(workerUrl), env, operator: await createOperator(env), ...rest }
  }
  const anotherLatchkey = async (place: StorePlace) => startLatchkey(place, { bundle: await bundles.latchkey() })
  const latchkey = once(async () => anotherLatchkey(await store()))
  const inspected = once(async () => {
    const bundle = await buildWorker(join(await folder(), 'inspected'), ['--no-minify'])
    const { inspector = '', ...started } = await startLatchkey(await anotherStore(), { bundle, inspect: true })
    return { ...started, inspector, bundle }
  })
  async function startRevision(revision: Revision) {
    say(`Building the Worker of ${revision.commit}…`)
    const bundle = await buildRevision(revision, join(await folder(), 'revision'))
    const { web, env } = await startLatchkey(await anotherStore(), { bundle })
    return { web, env, operator: supplyFrom(web) }
  }
  let revisions: ReturnType<typeof startRevision> | undefined
  const installed = once(() => installPeers(say, signal))

  async function startPeer(name: PeerName): Promise<Web> {
    await installed()
    const { redisUrl } = await store()
    const [port = 0] = await pickPorts(1)
    const settings = { redisUrl: `${redisUrl}/${peerDatabases[name]}`, port }
    const { url } = await startAt({ file: join(peersFolder, `${name}.ts`), settings, ready: peerReady })
    return opened(url)
  }
  const peers = new Map<PeerName, Promise<Web>>()

  return {
    store,
    anotherStore,
    bundle: (which) => bundles[which](),
    latchkey,
    anotherLatchkey,
    inspected,
    fleet: once(async () => {
      const bundle = await bundles.latchkey()
      say('Starting the fleet…')
      const { url, env } = await startAt({
        file: fileOf('fleet'),
        settings: { bundle, env: patience },
        ready: fleetReady,
      })
      return { web: opened(url), env, operator: await createOperator(env) }
    }),
    async peer(name: PeerName) {
      const peer = peers.get(name) ?? startPeer(name)
      peers.set(name, peer)
      return peer
    },
    async revision(revision) {
      revisions ??= startRevision(revision)
      return revisions
    },
    limits: once(async () => {
      const [bundle, { env: ofLatchkey }, { url, token, direct }] = await Promise.all([
        bundles.limits(),
        latchkey(),
        store(),
      ])
      const [port = 0] = await pickPorts(1)
      const sha = z.string().parse(await direct.script('LOAD', leastScript))
      const env = { STORE_URL: url, STORE_TOKEN: token, SCRIPT_SHA: sha, ISSUER: ofLatchkey['ISSUER'] ?? '' }
      const worker = await startAt({ file: fileOf('worker'), settings: { bundle, env, port }, ready: workerReady })
      return opened(worker.url)
    }),
    atEnd: (stop) => void stops.push(stop),
    async stop() {
      for (const each of stops.splice(0).toReversed()) await each().catch(() => undefined)
    },
  }
}
