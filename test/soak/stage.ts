/** What is soaked: a whole fleet, with a proxy on its way to the store, clocks that can be moved, and accounts. */
import { createHasher } from '../../src/accounts/hasher.ts'
import { parseConfig } from '../../src/config.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import type { BalancerKind } from '../../src/local/fleet/balancer.ts'
import type { Fleet } from '../../src/local/fleet/fleet.ts'
import { startFleet } from '../../src/local/fleet/start-fleet.ts'
import type { WorkerBundle } from '../../src/local/worker-bundle.ts'
import { createKeyNames, mintUserId } from '../../src/store/keys.ts'
import type { Store } from '../../src/store/store.ts'
import { createUpstashClient } from '../../src/store/upstash-client.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { systemClock, systemRandom } from '../../src/system.ts'
import { ringTimes, rotateRing, type RingTools } from '../../src/tokens/key-changes.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { actor } from '../support/actor.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { soakPassword } from './device.ts'

export interface StageOptions {
  /** The Worker with a clock that can be moved. */
  readonly bundle: WorkerBundle
  /** Of the fleet; made when missing. */
  readonly folder: string
  readonly balancer: BalancerKind
  readonly onLine: (server: string, line: string) => void
}

export interface Stage {
  readonly fleet: Fleet
  /** Between the servers and the bridge. */
  readonly proxy: TcpProxy
  /** What the operator's tools would use: the same store, past the proxy. */
  readonly operator: RingTools
  /** A user's record as it is stored, past the proxy. */
  readonly records: Records
  /** Makes accounts that all have the same password, and answers with their usernames. */
  createAccounts(names: readonly string[]): Promise<void>
  stop(): Promise<void>
}

export interface Records {
  read(username: string): Promise<string | undefined>
  write(username: string, record: string): Promise<void>
  remove(username: string): Promise<void>
}

/**
 * Keys rotate in minutes. A server reads the ring each minute, and half a minute later when that fails, by a clock that may be
 * off: only then does it surely know each key before it signs.
 */
const env = { KEY_PUBLISH_AHEAD_SECONDS: '120' }
/** A record of a soak outlives it. */
const RECORD_LIFE_MS = 86_400_000

export async function startStage({ bundle, folder, balancer, onLine }: StageOptions): Promise<Stage> {
  let proxy: TcpProxy | undefined
  let bridgePort = 0
  const fleet = await startFleet({
    bundle,
    folder,
    balancer,
    env,
    onLine,
    async betweenServersAndBridge(port) {
      bridgePort = port
      proxy = await startTcpProxy({ targetPort: port })
      return proxy
    },
  })
  if (!proxy) throw new Error('The fleet put no proxy in front of its bridge.')
  const config = parseConfig({ ...fleet.env, UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${bridgePort}` })
  if (!config.ok) throw new Error(config.problems.join('\n'))
  const { secret, signingAlg, store: place } = config.value
  const store = createUpstashStore(config.value)
  const { keySeal, passwordSecret } = await deriveKeys(secret)
  const userIds = new Map<string, string>()
  const operator = { store, seals: [keySeal], signingAlg, times: ringTimes(config.value), actor } satisfies RingTools
  // So that the first new key signs before two minutes are over.
  await rotateRing(operator, systemClock.nowMs())
  return {
    fleet,
    proxy,
    operator,
    records: openRecords(place, userIds),
    createAccounts: (names) => createAccounts({ store, passwordSecret, buckets: place.buckets, userIds }, names),
    stop: () => fleet.stop(),
  }
}

interface AccountParts {
  readonly store: Pick<Store, 'createAccount'>
  readonly passwordSecret: Uint8Array
  readonly buckets: number
  readonly userIds: Map<string, string>
}

/** One hash serves them all, since no account's name is part of it. */
async function createAccounts(parts: AccountParts, names: readonly string[]): Promise<void> {
  const { store, passwordSecret, buckets, userIds } = parts
  const hashed = await createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom }).hash(
    soakPassword,
  )
  if (!hashed.ok) throw new Error('The password was not hashed.')
  for (const username of names) {
    const userId = await mintUserId(systemRandom, username, buckets)
    userIds.set(username, userId)
    const createdAtMs = systemClock.nowMs()
    const account = { userId, username, hash: hashed.value, status: 'active', roles: '', createdAtMs } as const
    await store.createAccount({ account, actor })
  }
}

function openRecords(
  place: Parameters<typeof createUpstashClient>[0] & { buckets: number },
  userIds: Map<string, string>,
): Records {
  const redis = createUpstashClient(place)
  const keys = createKeyNames(place.buckets)
  const keyOf = (username: string) => keys.session(userIds.get(username) ?? '')
  return {
    read: async (username) => (await redis.get<string>(keyOf(username))) ?? undefined,
    write: async (username, record) => void (await redis.set(keyOf(username), record, { px: RECORD_LIFE_MS })),
    remove: async (username) => void (await redis.del(keyOf(username))),
  }
}
