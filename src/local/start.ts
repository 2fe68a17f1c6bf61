/** `npm start`: the whole service on this machine, in the foreground, until Ctrl-C. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { parseConfig } from '../config.ts'
import { startBridge } from './bridge.ts'
import { describeEnvironment, readDevVars } from './environment.ts'
import { FolderInUseError } from './folder-lock.ts'
import { buildPage } from './page-bundle.ts'
import { localFolder, projectRoot, redisCacheFolder } from './project.ts'
import { findRedisServer, MissingRedisError } from './redis-binary.ts'
import { RedisStartError, startRedis } from './redis-process.ts'
import { writeStackFile } from './stack-file.ts'
import { BuildError, buildWorker } from './worker-bundle.ts'
import { startWorkerd } from './workerd-process.ts'

const help = `Starts Latchkey on this machine: a Redis of its own, the Upstash protocol in front of it, and the Worker in workerd.

  npm start                         on http://localhost:8787, where a page shows a session live

Environment:
  PORT                              another port
  REDIS_URL                         use a Redis that is already running, as in redis://localhost:6379
  UPSTASH_REDIS_REST_URL, ..._TOKEN use an Upstash database
  any variable of wrangler.toml     as in SESSIONS_PER_USER=3 npm start

Secrets are made once and kept in .dev.vars, sessions and accounts in .latchkey/. Ctrl-C ends everything.
`

/** Something the person at the keyboard can mend: said in one sentence, without a stack trace. */
class StartError extends Error {
  override name = 'StartError'
}

/** What has been started, in order; ended in reverse. */
const started: (() => Promise<unknown>)[] = []
let ending = false

async function main(): Promise<void> {
  const { values } = parseOptions()
  if (values.help) return say(help)
  const shell = process.env
  const port = readPort(shell.PORT)
  const baseUrl = `http://localhost:${port}`
  await checkPortIsFree(port)
  const devVars = await readDevVars(join(projectRoot, '.dev.vars'))
  if (devVars.made) say('Made a fresh secret in .dev.vars.')
  checkConfiguration(describeEnvironment({ baseUrl, store: placeholderStore(shell), devVars: devVars.vars, shell }))

  const store = await openStore(shell, port)
  const env = describeEnvironment({ baseUrl, store, devVars: devVars.vars, shell })
  say('Building the Worker and the page…')
  const bundle = await buildWorker(join(localFolder, `worker-${port}`))
  const page = join(localFolder, `page-${port}`)
  await buildPage(page)
  const worker = await startWorkerd({ bundle, env, port, page, onLine: say })
  started.push(worker.stop)
  void worker.exited.then(() => end('workerd ended unexpectedly.'))
  await untilReady(worker.url)
  started.push(await writeStackFile(localFolder, { port, pid: process.pid, env }))
  say(greeting(baseUrl))
}

function parseOptions() {
  try {
    return parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
  } catch (error) {
    throw new StartError(`${error instanceof Error ? error.message : String(error)} See npm start -- --help.`)
  }
}

function readPort(text = '8787'): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new StartError(`PORT must be 1 to 65535, not "${text}".`)
  return port
}

async function checkPortIsFree(port: number): Promise<void> {
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${error.code})`
    throw new StartError(`Port ${port} ${why}. Choose another: PORT=${port + 1} npm start`)
  })
  server.close()
  await once(server, 'close')
}

function checkConfiguration(env: Record<string, string>): void {
  const config = parseConfig(env)
  if (!config.ok) throw new StartError(`The configuration is not right.\n  ${config.problems.join('\n  ')}`)
}

/** Lets the configuration be checked before anything is started. */
function placeholderStore(shell: NodeJS.ProcessEnv) {
  return { url: shell.UPSTASH_REDIS_REST_URL ?? 'http://127.0.0.1', token: shell.UPSTASH_REDIS_REST_TOKEN ?? 'unused' }
}

/** Upstash if it is named, else a bridge to the Redis that is named, else a bridge to one of our own. */
async function openStore(shell: NodeJS.ProcessEnv, port: number): Promise<{ url: string; token: string }> {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: upstashToken, REDIS_URL } = shell
  if (url && upstashToken) return { url, token: upstashToken }
  if (url || upstashToken)
    throw new StartError('UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN go together: set both or neither.')
  const redisUrl = REDIS_URL ? await checkRedis(REDIS_URL) : await startOwnRedis(port)
  const token = randomBytes(32).toString('base64url')
  const bridge = await startBridge({ redisUrl, token })
  started.push(bridge.close)
  return { url: bridge.url, token }
}

async function checkRedis(url: string): Promise<string> {
  const unreachable = (detail: string) => new StartError(`REDIS_URL: no Redis answers there (${detail}).`)
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol))
    throw new StartError('REDIS_URL must look like redis://localhost:6379.')
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 3000,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  })
  let detail = ''
  redis.on('error', (error: NodeJS.ErrnoException) => (detail = error.code ?? error.message))
  try {
    await redis.connect()
    await redis.ping()
  } catch (error) {
    throw unreachable(detail || String(error))
  } finally {
    redis.disconnect()
  }
  return url
}

async function startOwnRedis(port: number): Promise<string> {
  const binary = await findRedisServer({ cacheFolder: redisCacheFolder, onProgress: say })
  const redis = await startRedis({ binary, folder: join(localFolder, `store-${port}`), persist: true })
  started.push(redis.stop)
  return redis.url
}

/** Asks /readyz for at most ten seconds. */
async function untilReady(url: string): Promise<void> {
  let said = ''
  for (let asked = 0; asked < 100; asked++) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined)
    if (answer?.ok) return
    said = (await answer?.text()) ?? said
    await delay(100)
  }
  throw new StartError(`The service did not become ready. It said: ${said || 'nothing'}`)
}

function greeting(baseUrl: string): string {
  const json = `-H 'Content-Type: application/json'`
  const credentials = `"username":"ada","password":"correct horse battery"`
  const login = `curl -s ${baseUrl}/v1/login ${json} -d '{${credentials},"client_id":"app"}'`
  return `
Latchkey is ready on ${baseUrl}

Open ${baseUrl}
The interface: ${baseUrl}/docs

Or sign up, sign in, and check the access token from a shell:

  curl -s ${baseUrl}/v1/accounts ${json} -d '{${credentials}}'

  ${login}

  curl -si ${baseUrl}/v1/verify -H "Authorization: Bearer $(${login} | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')"

Events follow, one line each. Ctrl-C ends everything.
`
}

function say(line: string): void {
  process.stdout.write(line.endsWith('\n') ? line : `${line}\n`)
}

/** Ends what was started, newest first, and the process: with an error if there is something to say. */
async function end(problem?: string): Promise<void> {
  if (ending) return
  ending = true
  if (problem) process.stderr.write(`\n${problem}\n`)
  for (const stop of started.toReversed()) await stop().catch(() => undefined)
  process.exit(problem ? 1 : 0)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end())

try {
  await main()
} catch (error) {
  const mendable = [StartError, MissingRedisError, RedisStartError, FolderInUseError, BuildError]
  const isMendable = error instanceof Error && mendable.some((kind) => error instanceof kind)
  await end(isMendable ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error))
}
