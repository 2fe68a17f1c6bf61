/** A Redis sentinel, one of those that agree on which Redis is the primary. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { RedisBinary } from '../redis-binary.ts'
import { spawnRedis } from '../redis-child.ts'
import { askRedis } from './redis-answers.ts'
import type { RunningProcess } from './part.ts'

/** What the sentinels call the primary that they watch, and those that replicate it. */
export const groupName = 'latchkey'

/** How many of the three must find the primary down before one of them starts a failover. */
const quorum = 2
/** Silence after which a sentinel finds a Redis down. */
const downAfterMs = 1000
/** Two sentinels that start an election at the same moment can both lose it. The next is held after twice this long. */
const failoverTimeoutMs = 2000

export interface SentinelOptions {
  readonly binary: RedisBinary
  /** Its own. What it learns about the others it writes into a file there, and reads it when it is started again. */
  readonly folder: string
  readonly port: number
  /** Of the sentinels and of the Redis servers alike. */
  readonly password: string
  /** Gets each line that it prints. */
  readonly onLine: (line: string) => void
}

/** Writes the file that the sentinel starts from, and later writes itself. */
export async function prepareSentinel(
  { folder, port, password }: SentinelOptions,
  { primaryPort }: { readonly primaryPort: number },
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${JSON.stringify(folder)}`,
    `requirepass ${password}`,
    `sentinel sentinel-pass ${password}`,
    `sentinel monitor ${groupName} 127.0.0.1 ${primaryPort} ${quorum}`,
    `sentinel auth-pass ${groupName} ${password}`,
    `sentinel down-after-milliseconds ${groupName} ${downAfterMs}`,
    `sentinel failover-timeout ${groupName} ${failoverTimeoutMs}`,
    `sentinel parallel-syncs ${groupName} 1`,
  ]
  await writeFile(fileIn(folder), `${lines.join('\n')}\n`, { mode: 0o600 })
}

/** Starts one that has been prepared, and resolves when it answers. @throws when it ends instead */
export async function startSentinel(options: SentinelOptions): Promise<RunningProcess> {
  const { binary, folder, port, password, onLine } = options
  const child = await spawnRedis(binary, [], { args: [fileIn(folder), '--sentinel'], onLine })
  const endBy = async (signal: NodeJS.Signals) => {
    child.signal(signal)
    await child.exited
  }
  while (child.isRunning() && !(await answers(port, password))) await delay(20)
  if (!child.isRunning()) throw new Error(`A sentinel did not start. Its last words:\n${await child.lastWords}`)
  return { pid: child.pid, exited: child.exited, kill: () => endBy('SIGKILL'), stop: () => endBy('SIGTERM') }
}

async function answers(port: number, password: string): Promise<boolean> {
  return (await askRedis({ port, password }, (redis) => redis.ping())) === 'PONG'
}

const fileIn = (folder: string) => join(folder, 'sentinel.conf')
