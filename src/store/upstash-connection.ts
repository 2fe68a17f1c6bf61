/** The way to Upstash that all verbs of the store take: within the deadline, and with replies that were read. */
import type { z } from 'zod'
import type { Config } from '../config.ts'
import { StoreUnavailable } from '../failure.ts'
import type { Actor } from './audit.ts'
import { createKeyNames, type KeyNames } from './keys.ts'
import { createResilience } from './resilience.ts'
import { createUpstashClient } from './upstash-client.ts'

export type StoreConfig = Pick<
  Config,
  | 'store'
  | 'registrationsPerHour'
  | 'sessionsPerUser'
  | 'idleSeconds'
  | 'absoluteSeconds'
  | 'replayWindowSeconds'
  | 'refreshesPerMinute'
  | 'accessTtlSeconds'
  | 'audit'
>

type Redis = ReturnType<typeof createUpstashClient>

export interface UpstashConnection {
  readonly keys: KeyNames
  /** Sends commands that may be sent twice; `withinMs` is less time than the deadline allows. @throws {StoreUnavailable} */
  readonly ask: <T>(reply: z.ZodType<T>, command: (redis: Redis) => Promise<unknown>, withinMs?: number) => Promise<T>
  /** Makes a script callable. With `once` it is not tried again. */
  readonly script: <T>(
    source: string,
    reply: z.ZodType<T>,
    demand?: { readonly once: boolean },
  ) => (keysUsed: string[], args: readonly (string | number)[], withinMs?: number) => Promise<T>
  /** The last arguments of each script that writes to the audit trail, as `audit.lua` reads them; the user is whom it is about. */
  readonly trail: (actor: Actor, userId: string) => readonly (string | number)[]
}

export function createUpstashConnection(config: Pick<StoreConfig, 'store' | 'audit'>): UpstashConnection {
  const { timeoutMs, buckets } = config.store
  const redis = createUpstashClient(config.store)
  const guarded = createResilience(timeoutMs)

  return {
    keys: createKeyNames(buckets),

    ask: async (reply, command, withinMs) => readReply(reply, await guarded(() => command(redis), { withinMs })),

    script(source, reply, demand) {
      const prepared = redis.createScript(source)
      return async (keysUsed, args, withinMs) =>
        readReply(reply, await guarded(() => prepared.exec(keysUsed, args.map(String)), { ...demand, withinMs }))
    },

    trail: ({ by, from, requestId }, userId) => [userId, by, from, requestId, config.audit.events],
  }
}

/** Reads a reply. One of another shape is a store that makes no sense, not an answer. @throws {StoreUnavailable} */
export function readReply<T>(shape: z.ZodType<T>, reply: unknown): T {
  const parsed = shape.safeParse(reply)
  if (parsed.success) return parsed.data
  return unreadable()
}

/** @throws {StoreUnavailable} always: a store that makes no sense */
export function unreadable(): never {
  throw new StoreUnavailable('unreadable reply')
}
