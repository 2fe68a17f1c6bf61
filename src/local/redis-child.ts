/** The redis-server child process itself: how it is given its configuration, and how it ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { RedisBinary } from './redis-binary.ts'

/** Enough for Redis's three-line configuration errors and what led to them. */
const keptLines = 15

export interface RedisChild {
  pid: number
  /** Does nothing when the process is gone. */
  signal: (signal: NodeJS.Signals) => void
  isRunning: () => boolean
  exited: Promise<void>
  /** The end of what it printed, once it has ended. */
  lastWords: Promise<string>
}

export interface SpawnRedisOptions {
  /** Where the configuration is: standard input by default. */
  readonly args?: readonly string[]
  /** Gets each line that it prints. */
  readonly onLine?: (line: string) => void
}

/**
 * Starts redis-server. The configuration goes over standard input, because command lines are public and files stay.
 * A sentinel must have a file of its own, named in `args`.
 *
 * @throws when the binary cannot be started
 */
export async function spawnRedis(
  binary: RedisBinary,
  config: readonly string[],
  { args = ['-'], onLine = () => undefined }: SpawnRedisOptions = {},
): Promise<RedisChild> {
  const child = spawn(binary.path, args, { env: binary.env, stdio: ['pipe', 'pipe', 'pipe'] })
  const lines: string[] = []
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on('line', (line) => {
      if (line.trim() === '') return
      if (lines.push(line) > keptLines) lines.shift()
      onLine(line)
    })
  // A process that ends before reading its configuration is reported by its exit.
  child.stdin.on('error', () => undefined)

  const exited = once(child, 'exit').then(() => undefined)
  const lastWords = once(child, 'close').then(() => lines.join('\n'))
  // Both also fail when the process cannot be spawned, which is what `spawn` below reports.
  exited.catch(() => undefined)
  lastWords.catch(() => undefined)
  await once(child, 'spawn')
  child.stdin.end(`${config.join('\n')}\n`)

  const endWithUs = () => {
    child.kill('SIGTERM')
    child.kill('SIGCONT')
  }
  process.once('exit', endWithUs)
  child.once('exit', () => process.removeListener('exit', endWithUs))
  const { pid } = child
  if (pid === undefined) throw new Error('redis-server was started without a process id')
  return {
    pid,
    signal: (signal) => void child.kill(signal),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    exited,
    lastWords,
  }
}
