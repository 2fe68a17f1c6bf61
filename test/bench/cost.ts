/** What an operation and a session cost the store, by what Redis itself counts. */
import type { Redis } from 'ioredis'
import type { Prepared } from './item.ts'
import { inTurn, type RoundsOptions } from './rounds.ts'
import { peerDatabases, type Stage } from './stage.ts'

/** The means of many operations of one kind. */
export interface OperationCost {
  readonly name: string
  /** Commands as Upstash bills them: each call inside a script is one, and the call of the script is another. */
  readonly commands: number
  /** Which, and how many of each: as in `evalsha 1, get 1, set 1`. */
  readonly which: string
  /** In Redis's own protocol, to the store and back. */
  readonly bytesIn: number
  readonly bytesOut: number
}

export interface SessionCost {
  readonly system: string
  /** All keys of one session that outlive five minutes, after so many refreshes. */
  readonly bytes: ReadonlyMap<number, number>
}

export type CostOptions = Pick<RoundsOptions, 'stage' | 'items' | 'onProgress' | 'onFailure' | 'signal'>

export const refreshCounts = [1, 10, 100, 1000] as const

/** A round for which there is enough stock. */
const costMs = 50
/** So many that what else goes on is lost in the mean. */
const operations = 20
/** Refreshes are five minutes apart where tokens live so long: what is gone by then does not add up. */
const betweenRefreshesMs = 300_000
const forEver = -1
/** What is not a session's own: accounts, and what they are found by. */
const notOfSession = /^(account|username|throttle|keyring|feed|probe):/
const ownCommands = new Set(['info', 'scan', 'memory|usage', 'select', 'hello', 'auth', 'client|setinfo', 'ping'])

export async function measureOperations(options: CostOptions): Promise<OperationCost[]> {
  const { stage, items, onProgress } = options
  const { direct } = await stage.store()
  const costs: OperationCost[] = []
  await inTurn(items, options, async (item) => {
    onProgress(`cost of an operation: ${item.name}`)
    costs.push(await costOf(item.name, await item.prepare(stage, 1), direct))
  })
  return costs
}

/** Of any one kind of operation, such as the reading of a feed. */
export async function costOf(name: string, { run, refill }: Prepared, direct: Redis): Promise<OperationCost> {
  await refill?.({ callers: 1, ms: costMs })
  // Scripts are loaded, keys and connections made.
  await run(0)
  const idle = await counted(direct, async () => undefined)
  const busy = await counted(direct, async () => {
    for (let done = 0; done < operations; done++) if ((await run(0)) !== 1) throw new Error(`${name} ran out of stock`)
  })
  const calls = [...busy.calls].filter(([command]) => !ownCommands.has(command))
  const mean = (count: number) => count / operations
  return {
    name,
    commands: mean(calls.reduce((sum, [, count]) => sum + count, 0)),
    which: calls
      .map(([command, count]) => `${command} ${Number(mean(count).toFixed(1))}`)
      .filter((text) => !text.endsWith(' 0'))
      .join(', '),
    bytesIn: mean(busy.bytesIn - idle.bytesIn),
    bytesOut: mean(busy.bytesOut - idle.bytesOut),
  }
}

async function counted(direct: Redis, act: () => Promise<void>) {
  const before = await readCounts(direct)
  await act()
  const after = await readCounts(direct)
  const calls = [...after.calls].map(([name, count]) => [name, count - (before.calls.get(name) ?? 0)] as const)
  return {
    calls: new Map(calls.filter(([, count]) => count > 0)),
    bytesIn: after.bytesIn - before.bytesIn,
    bytesOut: after.bytesOut - before.bytesOut,
  }
}

async function readCounts(direct: Redis) {
  const text = await direct.info('commandstats', 'stats')
  const calls = new Map<string, number>()
  for (const [, name = '', count] of text.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm)) calls.set(name, Number(count))
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1])
  return { calls, bytesIn: number('total_net_input_bytes'), bytesOut: number('total_net_output_bytes') }
}

/** Of items that refresh. */
export async function measureSessions(options: CostOptions): Promise<SessionCost[]> {
  const { stage, items, onProgress, signal } = options
  const costs: SessionCost[] = []
  await inTurn(items, options, async (item) => {
    const [system = ''] = item.name.split(':')
    const direct = await databaseOf(stage, system)
    // What a system makes once, such as its keys, belongs to no session.
    await item.prepare(stage, 1)
    const before = await keysOf(direct)
    const { run } = await item.prepare(stage, 1)
    const bytes = new Map<number, number>()
    let done = 0
    for (const count of refreshCounts) {
      onProgress(`bytes of a session: ${system} after ${count}`)
      for (; done < count; done++) {
        signal.throwIfAborted()
        await run(0)
      }
      const own = [...(await keysOf(direct))].filter((key) => !before.has(key) && !notOfSession.test(key))
      bytes.set(count, await sizeOf(direct, own))
    }
    direct.disconnect()
    costs.push({ system, bytes })
  })
  return costs
}

async function databaseOf(stage: Stage, system: string): Promise<Redis> {
  const { direct } = await stage.store()
  const found = Object.entries(peerDatabases).find(([name]) => name === system)
  const database = direct.duplicate({ db: found?.[1] ?? 0 })
  database.on('error', () => undefined)
  return database
}

async function keysOf(direct: Redis): Promise<Set<string>> {
  const keys = new Set<string>()
  for await (const some of direct.scanStream({ count: 1000 })) for (const key of some) keys.add(String(key))
  return keys
}

async function sizeOf(direct: Redis, keys: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    keys.map(async (key) => {
      const [lifeMs, bytes] = await Promise.all([direct.pttl(key), direct.memory('USAGE', key, 'SAMPLES', 0)])
      return lifeMs === forEver || lifeMs > betweenRefreshesMs ? (bytes ?? 0) : 0
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
