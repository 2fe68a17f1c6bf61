/** Short questions to Redis servers and sentinels, each on a connection of its own. */
import { Redis } from 'ioredis'
import { z } from 'zod'
import type { Replication } from './fleet.ts'

/** A server that hangs is as good as down. */
const patienceMs = 500

export interface RedisAddress {
  readonly port: number
  readonly password: string
}

/** @returns nothing when no answer comes */
export async function askRedis<T>(
  { port, password }: RedisAddress,
  ask: (redis: Redis) => Promise<T>,
): Promise<T | undefined> {
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    password,
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
  })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return await ask(redis)
  } catch {
    return undefined
  } finally {
    redis.disconnect()
  }
}

export async function askReplication(address: RedisAddress): Promise<Replication | undefined> {
  const info = await askRedis(address, (redis) => redis.info('replication'))
  if (info === undefined) return undefined
  const fields = new Map([...info.matchAll(/^([a-z_]+):(.*?)\r?$/gmu)].map(([, name, value]) => [name, value]))
  const isPrimary = fields.get('role') === 'master'
  return {
    role: isPrimary ? 'primary' : 'replica',
    offsetBytes: Number(fields.get(isPrimary ? 'master_repl_offset' : 'slave_repl_offset') ?? 0),
    linkUp: isPrimary || fields.get('master_link_status') === 'up',
  }
}

const hostAndPort = z.tuple([z.string(), z.coerce.number()])

/** The primary's port as a sentinel knows it. */
export async function askPrimaryPort(sentinel: RedisAddress, groupName: string): Promise<number | undefined> {
  const answer = await askRedis(sentinel, (redis) => redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', groupName))
  const parsed = hostAndPort.safeParse(answer)
  return parsed.success ? parsed.data[1] : undefined
}

/** Whether a sentinel knows enough others, and a replica to promote, to bring a failover about. */
export async function canFailOver(sentinel: RedisAddress, groupName: string, replicas: number): Promise<boolean> {
  const quorum = await askRedis(sentinel, (redis) => redis.call('SENTINEL', 'CKQUORUM', groupName))
  const known = await askRedis(sentinel, (redis) => redis.call('SENTINEL', 'REPLICAS', groupName))
  return String(quorum).startsWith('OK 3') && Array.isArray(known) && known.length >= replicas
}

/** The primary's port if this sentinel knows it, finds it well, and takes part in no failover. */
export async function askSettledPort(sentinel: RedisAddress, groupName: string): Promise<number | undefined> {
  const answer = await askRedis(sentinel, (redis) => redis.call('SENTINEL', 'MASTER', groupName))
  const words = z.array(z.string()).safeParse(answer).data ?? []
  const valueOf = (field: string) => words[words.indexOf(field) + 1]
  // Whatever is not well adds a word to the flags, as in `master,failover_in_progress`.
  return valueOf('flags') === 'master' ? Number(valueOf('port')) : undefined
}
