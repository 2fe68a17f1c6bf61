/** `npm run fleet`: the fleet on this machine, in the foreground, on one screen or as plain lines, until Ctrl-C. */
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { variableNames } from '../../config.ts'
import { readDevVars } from '../environment.ts'
import { FolderInUseError } from '../folder-lock.ts'
import { MissingGatewayError } from '../gateway-binaries.ts'
import { GatewayStartError } from '../gateway-process.ts'
import { localFolder, projectRoot } from '../project.ts'
import { MissingRedisError } from '../redis-binary.ts'
import { RedisStartError } from '../redis-process.ts'
import { writeStackFile } from '../stack-file.ts'
import { BuildError, buildWorker } from '../worker-bundle.ts'
import type { BalancerKind } from './balancer.ts'
import { isFree } from './ports.ts'
import { FleetConfigError, startFleet } from './start-fleet.ts'
import { watchFleet } from './watch.ts'

const defaultPort = 8800

const help = `Starts a whole fleet on this machine: five Latchkey servers behind a balancer that knows no sticky sessions, one Redis
primary with two replicas, and three sentinels. Any of them can be killed and revived.

  npm run fleet                       on http://localhost:${defaultPort}, behind nginx

  npm run fleet -- --balancer haproxy
                   --port 9000
                   --servers 3        1 to 9

Keys: 1 to 9 kill or revive a server, a b c a Redis, x y z a sentinel, n the balancer; p kills the current primary; l starts
and stops a gentle load; q or Ctrl-C ends everything. Without a terminal it prints a line for each change instead.

Variables of wrangler.toml can be set as with npm start. Each start begins without accounts and sessions. No root is needed.
`

/** Something the person at the keyboard can mend: said in one sentence, without a stack trace. */
class UsageError extends Error {
  override name = 'UsageError'
}

/** What has been started, in order; ended in reverse. */
const started: (() => Promise<unknown> | void)[] = []
let ending = false

async function main(): Promise<void> {
  const options = parseOptions()
  if (options.help) return say(help)
  const { port, servers, kind } = options
  if (!(await isFree(port))) {
    throw new UsageError(`Port ${port} is in use or not allowed. Choose another: npm run fleet -- --port ${port + 1}`)
  }
  const folder = join(localFolder, `fleet-${port}`)
  await mkdir(folder, { recursive: true })
  const logFile = join(folder, 'fleet.log')
  const log = createWriteStream(logFile, { mode: 0o600 })
  const devVars = await readDevVars(join(projectRoot, '.dev.vars'))

  say('Building the Worker…')
  const bundle = await buildWorker(join(folder, 'worker'))
  say(`Starting ${servers} servers, ${kind}, 3 Redis and 3 sentinels…`)
  const startedAtMs = performance.now()
  const starting = startFleet({
    bundle,
    folder,
    servers,
    balancer: kind,
    port,
    env: { ...devVars.vars, ...variablesOf(process.env) },
    onLine(name, line) {
      log.write(`${name} ${line}\n`)
      if (name === 'fleet') say(line)
    },
  })
  // Whoever ends it while it starts waits until it can be stopped.
  started.push(async () => (await starting).stop())
  const fleet = await starting
  if (ending) return
  started.push(await writeStackFile(localFolder, { port, pid: process.pid, env: fleet.env }))
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  say(`The fleet is ready on ${fleet.url} after ${seconds} s. Logs: ${logFile}`)
  started.push(await watchFleet({ fleet, kind, onQuit: () => void end() }))
}

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        balancer: { type: 'string', default: 'nginx' },
        port: { type: 'string', default: String(defaultPort) },
        servers: { type: 'string', default: '5' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    return {
      help: values.help,
      kind: readKind(values.balancer),
      port: readNumber('--port', values.port, 65_535),
      servers: readNumber('--servers', values.servers, 9),
    }
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)} See npm run fleet -- --help.`)
  }
}

function readKind(text: string): BalancerKind {
  if (text !== 'nginx' && text !== 'haproxy') throw new UsageError(`--balancer is nginx or haproxy, not "${text}".`)
  return text
}

function readNumber(option: string, text: string, most: number): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1 || number > most)
    throw new UsageError(`${option} must be 1 to ${most}, not "${text}".`)
  return number
}

function variablesOf(shell: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(variableNames.flatMap((name) => (shell[name] ? [[name, shell[name]]] : [])))
}

function say(line: string): void {
  process.stdout.write(line.endsWith('\n') ? line : `${line}\n`)
}

/** Ends what was started, newest first, and the process: with an error if there is something to say. */
async function end(problem?: string): Promise<void> {
  // Whoever asks twice will not wait: the guardian ends what is left.
  if (ending) process.exit(1)
  ending = true
  for (const stop of started.toReversed()) await Promise.resolve(stop()).catch(() => undefined)
  if (problem) process.stderr.write(`\n${problem}\n`)
  process.exit(problem ? 1 : 0)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end())
// Whoever read our lines has gone.
process.stdout.on('error', () => void end())

try {
  await main()
} catch (error) {
  const mendable = [
    UsageError,
    FleetConfigError,
    MissingRedisError,
    MissingGatewayError,
    RedisStartError,
    GatewayStartError,
    FolderInUseError,
    BuildError,
  ]
  const isMendable = error instanceof Error && mendable.some((kind) => error instanceof kind)
  await end(isMendable ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error))
}
