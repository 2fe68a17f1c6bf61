/** One Redis primary, its replicas, and the sentinels that make a replica the primary when it is gone. */
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { RedisBinary } from '../redis-binary.ts'
import type { SentinelGroup } from '../redis-connection.ts'
import { startRedis } from '../redis-process.ts'
import type { FleetRedis } from './fleet.ts'
import type { Guardian } from './guardian.ts'
import { allOf, startPart, type StoppablePart } from './part.ts'
import { pickPorts } from './ports.ts'
import { askPrimaryPort, askReplication, askSettledPort, canFailOver } from './redis-answers.ts'
import { groupName, prepareSentinel, startSentinel } from './sentinel-process.ts'

const redisCount = 3
const sentinelCount = 3

/** Sentinels find each other within two or three seconds. */
const patienceMs = 20_000

export interface RedisGroupOptions {
  readonly binary: RedisBinary
  /** What an earlier group left there is removed. */
  readonly folder: string
  readonly guardian: Guardian
  readonly onLine: (name: string, line: string) => void
  /** Told of what has been started, in order, also when something later fails. */
  readonly onStarted: (stop: () => Promise<unknown>) => void
}

export interface RedisGroup {
  readonly redis: readonly FleetRedis[]
  readonly sentinels: readonly StoppablePart[]
  /** For the bridge. */
  readonly place: SentinelGroup
  readonly primary: () => Promise<FleetRedis | undefined>
  readonly isSettled: () => Promise<boolean>
  /** Settles when the sentinels are able to bring a failover about. */
  readonly guarded: Promise<void>
}

/** Resolves when the replicas hold what the primary does: before that, a failover would lose acknowledged writes. */
export async function startRedisGroup(options: RedisGroupOptions): Promise<RedisGroup> {
  const { guardian, onStarted } = options
  const password = randomBytes(24).toString('hex')
  const ports = await pickPorts(redisCount + sentinelCount)
  const sentinelPorts = ports.splice(redisCount)
  const [primaryPort = 0, ...replicaPorts] = ports

  const linesOf = (name: string) => (line: string) => options.onLine(name, line)

  async function primaryPortNow(): Promise<number> {
    const isUp = (index: number) => sentinels[index]?.isUp() ?? false
    for (const [index, port] of sentinelPorts.entries()) {
      const found = isUp(index) ? await askPrimaryPort({ port, password }, groupName) : undefined
      if (found !== undefined) return found
    }
    return primaryPort
  }

  async function launch(name: string, port: number): Promise<StoppablePart & FleetRedis> {
    const part = await startPart({
      name,
      guardian,
      start: async () => {
        // Who was primary comes back as a replica of the one who is: until a sentinel told it to, it would take writes.
        const primary = await primaryPortNow()
        return startRedis({
          binary: options.binary,
          folder: join(options.folder, name),
          persist: true,
          port,
          password,
          onLine: linesOf(name),
          extraConfig: replicationConfig({ password, primaryPort: primary === port ? undefined : primary }),
        })
      },
    })
    onStarted(part.stop)
    const replication = async () => (part.isUp() ? askReplication({ port, password }) : undefined)
    return { ...part, port, replication, role: async () => (await replication())?.role ?? 'down' }
  }

  const sentinels: StoppablePart[] = []
  await rm(options.folder, { recursive: true, force: true })
  const redis = [await launch('redis-1', primaryPort)]
  const replicas = replicaPorts.map((port, index) => launch(`redis-${index + 2}`, port))
  redis.push(...(await allOf(replicas)))
  const linked = () => Promise.all(redis.map(async (each) => (await each.replication())?.linkUp === true))
  await until(async () => !(await linked()).includes(false), 'The replicas did not catch up with the primary.')

  for (const [index, port] of sentinelPorts.entries()) {
    const name = `sentinel-${index + 1}`
    const settings = {
      binary: options.binary,
      folder: join(options.folder, name),
      port,
      password,
      onLine: linesOf(name),
    }
    await prepareSentinel(settings, { primaryPort })
    const sentinel = await startPart({ name, guardian, start: () => startSentinel(settings) })
    sentinels.push(sentinel)
    onStarted(sentinel.stop)
  }
  async function isSettled(): Promise<boolean> {
    const asked = sentinelPorts.filter((_, index) => sentinels[index]?.isUp())
    const found = new Set(await Promise.all(asked.map((port) => askSettledPort({ port, password }, groupName))))
    const [agreed] = found
    if (found.size !== 1 || agreed === undefined) return false
    const well = redis.map(async (each) => {
      const state = await each.replication()
      return !each.isUp() || (state?.linkUp === true && (state.role === 'primary') === (each.port === agreed))
    })
    return !(await Promise.all(well)).includes(false)
  }

  const guarded = until(async () => {
    const able = sentinelPorts.map((port) => canFailOver({ port, password }, groupName, replicaPorts.length))
    return !(await Promise.all(able)).includes(false)
  }, 'The sentinels did not find each other.')
  guarded.catch(() => undefined)

  return {
    redis,
    sentinels,
    place: { name: groupName, password, sentinels: sentinelPorts.map((port) => ({ host: '127.0.0.1', port })) },
    guarded,
    isSettled,
    async primary() {
      const port = sentinels.some((sentinel) => sentinel.isUp()) ? await primaryPortNow() : undefined
      return redis.find((each) => each.port === port)
    },
  }
}

function replicationConfig(options: { password: string; primaryPort: number | undefined }): string[] {
  const { password, primaryPort } = options
  return [
    `masterauth ${password}`,
    // Without the five seconds that a primary waits for more replicas to join a full copy.
    'repl-diskless-sync-delay 0',
    'repl-ping-replica-period 1',
    // Each write is with the kernel before it is answered. While Redis syncs its file each second, writes can wait for that
    // for two seconds in memory, and a primary that is killed then and started again makes its replicas forget them.
    'appendfsync no',
    // A primary that was silent for a second may have been replaced and not know it yet. Its last replica has left it then,
    // and what it took alone would be lost.
    'min-replicas-to-write 1',
    ...(primaryPort === undefined ? [] : [`replicaof 127.0.0.1 ${primaryPort}`]),
  ]
}

async function until(holds: () => Promise<boolean>, otherwise: string): Promise<void> {
  const giveUpAtMs = performance.now() + patienceMs
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) throw new Error(otherwise)
    await delay(50)
  }
}
