/** nginx and haproxy as child processes: unprivileged, with a folder of their own, and ended with this process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Binary } from './binary.ts'
import type { ListeningProcess } from './listening-process.ts'

export interface StartGatewayOptions {
  readonly binary: Binary
  /** The configuration's text for the port to listen on, on 127.0.0.1. That of nginx says `pid nginx.pid;`. */
  readonly config: (port: number) => string
  /** Files that the configuration names, copied beside it. */
  readonly files?: readonly string[]
  /** Made when missing. Configuration, process id, logs and what is buffered on disk go there; one gateway to a folder. */
  readonly folder: string
  /** A free one by default. */
  readonly port?: number
  /** Variables that the configuration names (haproxy only: nginx reads none). */
  readonly env?: Readonly<Record<string, string>>
  /** Gets each line that it prints. */
  readonly onLine?: (line: string) => void
}

/** It ended instead of listening; the message ends with what it printed. */
export class GatewayStartError extends Error {
  override name = 'GatewayStartError'
}

/** A port found free can be taken by the time it is bound. */
const startAttempts = 5

/** nginx itself tries for 2.5 s to bind a port that is taken. */
const bindPatienceMs = 10_000

/** Neither has anything to finish at the end. */
const stopPatienceMs = 5000

/** Starts nginx and resolves when it listens. @throws {GatewayStartError} */
export async function startNginx(options: StartGatewayOptions): Promise<ListeningProcess> {
  return start('nginx', options, (folder, configFile) => [
    '-p',
    folder,
    '-e',
    'stderr',
    '-c',
    configFile,
    '-g',
    'daemon off;',
  ])
}

/** Starts haproxy, a master and its worker, and resolves when it listens. @throws {GatewayStartError} */
export async function startHaproxy(options: StartGatewayOptions): Promise<ListeningProcess> {
  return start('haproxy', options, (folder, configFile) => [
    '-W',
    '-db',
    '-p',
    join(folder, 'haproxy.pid'),
    '-f',
    configFile,
  ])
}

type DescribeArgs = (folder: string, configFile: string) => string[]

async function start(name: string, given: StartGatewayOptions, describeArgs: DescribeArgs): Promise<ListeningProcess> {
  // nginx would look for relative names below its own folder.
  const options = { ...given, folder: resolve(given.folder) }
  await mkdir(options.folder, { recursive: true })
  // Started by root, nginx works as nobody, who must reach its own temporary folders in here.
  await chmod(options.folder, 0o711)
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(options.port ?? (await freePort()), { name, options, describeArgs })
    } catch (error) {
      const portTaken = error instanceof GatewayStartError && error.message.includes('Address already in use')
      if (!portTaken || options.port !== undefined || attempt === startAttempts) throw error
    }
  }
}

interface Starting {
  readonly name: string
  readonly options: StartGatewayOptions
  readonly describeArgs: DescribeArgs
}

async function startOn(port: number, { name, options, describeArgs }: Starting): Promise<ListeningProcess> {
  const { binary, config, files = [], folder, env = {}, onLine = () => undefined } = options
  const configFile = join(folder, `${name}.conf`)
  const pidFile = join(folder, `${name}.pid`)
  await writeFile(configFile, config(port))
  for (const file of files) await copyFile(file, join(folder, basename(file)))
  await rm(pidFile, { force: true })
  const child = spawn(binary.path, describeArgs(folder, configFile), {
    env: { ...process.env, ...binary.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const printed: string[] = []
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      if (printed.push(line) > 20) printed.shift()
      onLine(line)
    })
  const closed = once(child, 'close').then(() => undefined)
  closed.catch(() => undefined)
  await once(child, 'spawn')
  const endWithUs = () => void child.kill('SIGTERM')
  process.once('exit', endWithUs)
  child.once('exit', () => process.removeListener('exit', endWithUs))

  const stop = () => end(child, closed)
  if (!(await untilBound(child, pidFile))) {
    await stop()
    throw new GatewayStartError(`${name} did not start:\n${printed.join('\n')}`)
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await closed
  }
  return { url: `http://127.0.0.1:${port}`, port, pid: child.pid ?? 0, exited: closed, kill, stop }
}

/** Both write their process id after they have bound their ports: the file proves that it is they who listen. */
async function untilBound(child: ChildProcess, pidFile: string): Promise<boolean> {
  const giveUpAtMs = performance.now() + bindPatienceMs
  while (isRunning(child) && performance.now() < giveUpAtMs) {
    const isThere = await access(pidFile).then(
      () => true,
      () => false,
    )
    if (isThere) return true
    await delay(10)
  }
  return false
}

const isRunning = ({ exitCode, signalCode }: ChildProcess) => exitCode === null && signalCode === null

async function end(child: ChildProcess, closed: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs)
  await closed
  clearTimeout(force)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a server listens on no port')
  return address.port
}
