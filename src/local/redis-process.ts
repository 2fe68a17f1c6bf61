/** A redis-server of our own: on the loopback interface, behind a random password, with its own data folder. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { lockFolder } from './folder-lock.ts'
import type { RedisBinary } from './redis-binary.ts'
import { type RedisChild, spawnRedis } from './redis-child.ts'

export interface StartRedisOptions {
  binary: RedisBinary
  /** The data folder, made when missing. One redis-server at a time can use it. */
  folder: string
  /** Whether data survives a restart (append-only file, synced every second). */
  persist: boolean
  /** A free one by default. */
  port?: number
  /** A random one by default. */
  password?: string
  /** Further lines of configuration, such as `maxmemory 10mb`. */
  extraConfig?: string[]
  /** Gets each line that it prints. */
  onLine?: (line: string) => void
}

export interface RedisProcess {
  /** `redis://:password@127.0.0.1:port`, the same after a restart. */
  readonly url: string
  readonly port: number
  /** Of the redis-server last started. */
  readonly pid: number
  /** Settles when the redis-server last started has ended, for whatever reason. */
  readonly exited: Promise<void>
  /** Keeps it from answering while its connections stay open (SIGSTOP). */
  pause: () => void
  resume: () => void
  /** Ends it as a crash would (SIGKILL), and waits until it is gone. */
  kill: () => Promise<void>
  /** Ends it in order, by force if that takes long, and waits until it is gone. */
  stop: () => Promise<void>
  /** Stops it if it runs, and starts it again with the same port, password and folder; answers this same object. */
  restart: () => Promise<RedisProcess>
}

/** redis-server ended instead of answering, or did not answer for long; the message ends with what it printed last. */
export class RedisStartError extends Error {
  override name = 'RedisStartError'

  constructor(lastWords: string, options?: ErrorOptions) {
    super(`redis-server did not start. Its last words:\n${lastWords}`, options)
  }
}

/** A port found free can be taken by the time redis-server binds it, and a wanted one be about to become free. */
const startAttempts = 10

/** Redis writes to its files as it goes: what is left to do at the end is short, unless something is wrong. */
const stopPatienceMs = 5000

/** 30 s at least: a large append-only file takes a while to load. */
const askAttempts = 600
const askIntervalMs = 50

/**
 * Starts redis-server and resolves when it answers. The caller stops it; should this process exit without, it ends too.
 *
 * @throws {FolderInUseError} when another living process uses the folder
 * @throws {RedisStartError} when redis-server ends instead of answering
 */
export async function startRedis(options: StartRedisOptions): Promise<RedisProcess> {
  const settings = { ...options, password: options.password ?? randomBytes(24).toString('hex') }
  let running = await start(settings)
  const { port, url } = running
  const self: RedisProcess = {
    url,
    port,
    get pid() {
      return running.child.pid
    },
    get exited() {
      return running.gone
    },
    pause: () => running.child.signal('SIGSTOP'),
    resume: () => running.child.signal('SIGCONT'),
    kill: () => kill(running),
    stop: () => stop(running),
    async restart() {
      await stop(running)
      running = await start({ ...settings, port })
      return self
    },
  }
  return self
}

interface Settings extends StartRedisOptions {
  password: string
}

interface Running {
  child: RedisChild
  port: number
  url: string
  /** Settles when the process has ended and the folder is free again. */
  gone: Promise<void>
}

async function start(settings: Settings): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(settings.port ?? (await freePort()), settings)
    } catch (error) {
      const portTaken = error instanceof RedisStartError && error.message.includes('Address already in use')
      if (!portTaken || attempt === startAttempts) throw error
      await delay(100)
    }
  }
}

async function startOn(port: number, settings: Settings): Promise<Running> {
  await mkdir(settings.folder, { recursive: true, mode: 0o700 })
  const lock = await lockFolder(settings.folder)
  const child = await spawnRedis(settings.binary, configLines(port, settings), {
    ...(settings.onLine && { onLine: settings.onLine }),
  }).catch(async (error: unknown) => {
    await lock.release()
    throw error
  })
  await lock.handTo(child.pid)
  const url = `redis://:${settings.password}@127.0.0.1:${port}`
  const running = { child, port, url, gone: child.exited.then(lock.release) }
  try {
    await untilAnswering(url, child)
    return running
  } catch (cause) {
    await kill(running)
    throw new RedisStartError(await child.lastWords, { cause })
  }
}

function configLines(port: number, { folder, persist, password, extraConfig = [] }: Settings): string[] {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(folder)}`,
    'save ""',
    ...(persist ? ['appendonly yes', 'appendfsync everysec'] : ['appendonly no']),
    ...extraConfig,
  ]
}

async function untilAnswering(url: string, child: RedisChild): Promise<void> {
  for (let attempt = 0; attempt < askAttempts && child.isRunning(); attempt += 1) {
    if ((await askProcessId(url)) === child.pid) return
    await delay(askIntervalMs)
  }
  throw new Error('It does not answer')
}

/** Who answers: another server may have taken the port, while ours is about to find that out. */
async function askProcessId(url: string): Promise<number | undefined> {
  const redis = new Redis(url, { protocol: 2, lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return Number(/^process_id:(\d+)/mu.exec(await redis.info('server'))?.[1])
  } catch {
    return undefined
  } finally {
    redis.disconnect()
  }
}

async function kill({ child, gone }: Running): Promise<void> {
  child.signal('SIGKILL')
  await gone
}

async function stop({ child, gone }: Running): Promise<void> {
  child.signal('SIGTERM')
  // One that is paused ends only when it goes on.
  child.signal('SIGCONT')
  const force = setTimeout(() => child.signal('SIGKILL'), stopPatienceMs)
  await gone
  clearTimeout(force)
}

/** Leaves room for the port of a cluster's bus, which is 10,000 higher. */
async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    server.close()
    await once(server, 'close')
    if (address !== null && typeof address !== 'string' && address.port <= 55_535) return address.port
  }
}
