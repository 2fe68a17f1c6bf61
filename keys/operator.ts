/** What commands work with: the ring's tools on the target's store, and that store's clock. */
import { z } from 'zod'
import { parseConfig, type Config } from '../src/config.ts'
import type { StoreUnavailable } from '../src/failure.ts'
import type { Actor } from '../src/store/audit.ts'
import { createKeyNames } from '../src/store/keys.ts'
import { createResilience } from '../src/store/resilience.ts'
import { createUpstashClient } from '../src/store/upstash-client.ts'
import { createUpstashStore } from '../src/store/upstash.ts'
import { systemClock } from '../src/system.ts'
import { ringTimes, type RingTools } from '../src/tokens/key-changes.ts'
import { parseRing, type Ring } from '../src/tokens/ring.ts'
import { deriveKeys } from '../src/tokens/service-secret.ts'
import { Refusal } from './answer.ts'
import type { Target } from './target.ts'

/** Who changes things from the command line, for the audit trail. */
export const operator: Actor = { by: 'operator', from: '', requestId: '' }

export interface Operator {
  readonly target: Target
  readonly config: Config
  readonly tools: RingTools
  /** The ring as it is stored. @throws {Refusal} if that is none @throws {StoreUnavailable} */
  readonly readRing: () => Promise<Ring>
  /**
   * The time by the store's clock. Changes are dated by it, not by this machine's: a key that is withdrawn by a clock an
   * hour ahead would be accepted for another hour.
   *
   * @throws {StoreUnavailable}
   */
  readonly nowMs: () => Promise<number>
  /** How far this machine's clock is ahead of the store's; half the trip is taken off. @throws {StoreUnavailable} */
  readonly clockOffsetMs: () => Promise<number>
  /** Writes a key that vanishes by itself. @returns the milliseconds it took @throws {StoreUnavailable} */
  readonly probeWrite: () => Promise<number>
}

/** An operator may be far from the store, and waits where a request would not. */
const PATIENCE_MS = 5000
/** How long the key lives that is written to see whether the store takes writes. */
const PROBE_MS = 1000

/** Redis TIME: seconds, and the microseconds within the second. */
const timeReply = z.tuple([z.coerce.number(), z.coerce.number()])

export type OperatorResult =
  | { readonly ok: true; readonly value: Operator }
  | { readonly ok: false; readonly problems: readonly string[] }

/** Asks nothing of the store yet. Not ok: what is wrong with the configuration. */
export async function createOperator(target: Target): Promise<OperatorResult> {
  const parsed = parseConfig(target.env)
  if (!parsed.ok) return parsed
  const timeoutMs = Math.max(parsed.value.store.timeoutMs, PATIENCE_MS)
  const config: Config = { ...parsed.value, store: { ...parsed.value.store, timeoutMs } }
  const secrets = [config.secret, ...(config.previousSecret ? [config.previousSecret] : [])]
  const [current, ...previous] = await Promise.all(secrets.map(deriveKeys))
  if (!current) throw new Error('there is always a current secret')
  const tools: RingTools = {
    store: createUpstashStore(config),
    seals: [current.keySeal, ...previous.map(({ keySeal }) => keySeal)],
    signingAlg: config.signingAlg,
    times: ringTimes(config),
    actor: operator,
  }
  return {
    ok: true,
    value: { target, config: parsed.value, tools, ...createProbes(config), readRing: ringReader(tools) },
  }
}

function ringReader({ store }: RingTools) {
  return async () => {
    const stored = await store.readKeyRing()
    try {
      return parseRing(stored)
    } catch {
      throw new Refusal('What the store holds as key ring is none: restore it, or delete it and lose all keys.')
    }
  }
}

function createProbes({ store }: Config) {
  const { timeoutMs, buckets } = store
  const redis = createUpstashClient(store)
  const guarded = createResilience(timeoutMs)

  const readClock = () =>
    guarded(async () => {
      const beganMs = performance.now()
      const [seconds, microseconds] = timeReply.parse(await redis.time())
      return { storeMs: seconds * 1000 + microseconds / 1000, tripMs: performance.now() - beganMs }
    })
  return {
    nowMs: async () => Math.round((await readClock()).storeMs),
    async clockOffsetMs() {
      const { storeMs, tripMs } = await readClock()
      return systemClock.nowMs() - tripMs / 2 - storeMs
    },
    probeWrite: () =>
      guarded(async () => {
        const beganMs = performance.now()
        await redis.set(createKeyNames(buckets).probe, '1', { px: PROBE_MS })
        return performance.now() - beganMs
      }),
  }
}

/** Why the store gave no answer, and what to do about it, in one sentence. */
export function describeOutage({ store }: Pick<Target, 'store'>, { message }: StoreUnavailable): string {
  const [isRefusal, code = 'no reason given'] = /^UpstashError(?: (\w+))?$/.exec(message) ?? []
  if (code === 'NOPERM')
    return `The store at ${store} takes no writes with this token: use the one that is not read-only.`
  if (['READONLY', 'OOM', 'MISCONF'].includes(code))
    return `The store at ${store} takes no writes (${code}): look at the database itself.`
  if (isRefusal) return `The store at ${store} refuses (${code}): check UPSTASH_REDIS_REST_TOKEN.`
  return `The store at ${store} cannot be reached (${message}): check that it runs, and UPSTASH_REDIS_REST_URL.`
}
