/** The bridge's one connection to Redis: to a server, or to whichever server the sentinels say is the primary. */
import { Redis, type RedisOptions } from 'ioredis'
import { z } from 'zod'

/** Sentinels, and what they call the primary that they watch. */
export interface SentinelGroup {
  readonly name: string
  readonly sentinels: readonly { readonly host: string; readonly port: number }[]
  /** Of the Redis servers and of the sentinels alike. */
  readonly password: string
}

export interface RedisConnection {
  /** Its status is `ready` as long as commands can be sent. */
  readonly redis: Redis
  readonly close: () => void
}

const retryIntervalMs = 100

const commonOptions = {
  protocol: 2,
  lazyConnect: true,
  connectTimeout: 1000,
  retryStrategy: () => retryIntervalMs,
  // A command is sent once or not at all: whether to repeat it is the caller's decision.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  // One that was primary until now: somebody else is. The commands under way fail with the connection.
  reconnectOnError: isOfReplica,
} satisfies RedisOptions

/** Starts connecting and goes on trying for ever; resolves when connected, or when the first try has failed. */
export async function connectRedis(place: string | SentinelGroup): Promise<RedisConnection> {
  const redis = typeof place === 'string' ? new Redis(place, commonOptions) : openPrimary(place)
  // Every command reports the lost connection by itself; without a listener ioredis writes to the console.
  redis.on('error', () => undefined)
  // A disconnection while ioredis asks the sentinels makes it give up for good, whatever the retry strategies say.
  const again = () => void setTimeout(() => redis.connect().catch(() => undefined), retryIntervalMs)
  redis.on('end', again)
  const stopFollowing = typeof place === 'string' ? () => undefined : followFailovers(redis, place)
  // A hung Redis accepts the connection and never answers: it must not hold up the start.
  const patience = AbortSignal.timeout(2000)
  await new Promise<void>((resolve) => {
    patience.addEventListener('abort', () => resolve(), { once: true })
    redis.connect().then(resolve, () => resolve())
  })
  return {
    redis,
    close() {
      stopFollowing()
      redis.removeListener('end', again)
      redis.disconnect()
    },
  }
}

/** Redis refuses to write because it is a replica. */
function isOfReplica(error: Error): boolean {
  return error.message.startsWith('READONLY')
}

/** Redis refuses to write because it is a replica, or has too few of its own: perhaps another one is the primary. */
export function isOfNoPrimary(error: Error): boolean {
  return isOfReplica(error) || error.message.startsWith('NOREPLICAS')
}

function openPrimary({ name, sentinels, password }: SentinelGroup): Redis {
  return new Redis({
    ...commonOptions,
    name,
    // Whoever is named but says that it is a replica is left again.
    role: 'master',
    sentinels: [...sentinels],
    password,
    sentinelPassword: password,
    sentinelCommandTimeout: 500,
    sentinelRetryStrategy: () => retryIntervalMs,
    // After twice this silence the sentinels choose another one. Should this one then go on, it must not answer anything.
    socketTimeout: 500,
    // A primary that hangs does not take part in closing the connection.
    disconnectTimeout: 100,
  })
}

/** What a sentinel says of a failover: the group's name, the old address and the new one. */
const switchMessage = z.tuple([z.string(), z.string(), z.coerce.number(), z.string(), z.coerce.number()])

/**
 * Leaves a primary that hangs, or does not know yet that it is none, as soon as a sentinel announces another one.
 * ioredis can do so itself (`failoverDetector`), but then writes to the console whenever a sentinel is away.
 */
function followFailovers(redis: Redis, { name, sentinels, password }: SentinelGroup): () => void {
  const listeners = sentinels.map(({ host, port }) => {
    const sentinel = new Redis({ host, port, password, protocol: 2, retryStrategy: () => 1000 })
    sentinel.on('error', () => undefined)
    sentinel.on('message', (_channel, message) => {
      const [group, , , , newPort] = switchMessage.safeParse(message.split(' ')).data ?? []
      // Each sentinel says so: the connection made after the first one is to stay.
      if (group === name && redis.status === 'ready' && redis.stream.remotePort !== newPort) redis.disconnect(true)
    })
    sentinel.subscribe('+switch-master').catch(() => undefined)
    return sentinel
  })
  return () => {
    for (const listener of listeners) listener.disconnect()
  }
}
