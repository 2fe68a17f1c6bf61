import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import type { BridgeOptions, BridgeRequest } from '../../src/local/bridge.ts'
import type { RedisProcess } from '../../src/local/redis-process.ts'
import { createKeyNames, mintUserId, type KeyNames } from '../../src/store/keys.ts'
import type { Account, Store, Turn } from '../../src/store/store.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { systemRandom } from '../../src/system.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { actor } from './actor.ts'
import { startTestBridge, startTestRedis } from './redis.ts'
import { testConfig } from './stack.ts'

export interface TestStore {
  readonly redis: RedisProcess
  /** A connection past the bridge, to look at what is stored. */
  readonly direct: Redis
  readonly storeRequests: BridgeRequest[]
  /** The adapter under test; each call makes another one, as another server would have it. */
  connect(changes?: Readonly<Record<string, string>>): Store
  stop(): Promise<void>
}

export interface TestStoreOptions {
  readonly scriptForm?: BridgeOptions['scriptForm']
  readonly cluster?: boolean
}

/** What every script must work with. Redis refuses Upstash's own flag, so the bridge makes these of it. */
export const storeForms = [
  { name: 'with the strict script form', scriptForm: 'strict', cluster: false, buckets: 1 },
  { name: 'with the plain script form', scriptForm: 'plain', cluster: false, buckets: 1 },
  { name: 'on a server in cluster mode', scriptForm: 'strict', cluster: true, buckets: 16 },
] as const

/** These tests are about what is stored, not about how long a busy machine takes. */
const patient = { STORE_TIMEOUT_MS: '10000' }

/** The real adapter on a real Redis behind the bridge. */
export async function startTestStore({ scriptForm = 'strict', cluster = false }: TestStoreOptions = {}) {
  const redis = await startTestRedis({ extraConfig: cluster ? ['cluster-enabled yes'] : [] })
  const direct = new Redis(redis.url, { protocol: 2 })
  if (cluster) {
    await direct.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    while (!String(await direct.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  }
  const storeRequests: BridgeRequest[] = []
  const bridge = await startTestBridge(redis.url, { scriptForm, onRequest: (request) => storeRequests.push(request) })
  const store: TestStore = {
    redis,
    direct,
    storeRequests,
    connect: (changes) =>
      createUpstashStore(
        testConfig({
          UPSTASH_REDIS_REST_URL: bridge.url,
          UPSTASH_REDIS_REST_TOKEN: bridge.token,
          ...patient,
          ...changes,
        }),
      ),
    async stop() {
      direct.disconnect()
      await bridge.close()
      await redis.stop()
    },
  }
  return store
}

/** A user as the store knows them: no password was ever hashed. */
export interface StoredUser {
  readonly account: Account
  readonly keys: KeyNames
  /** Opens a session and answers with what its tokens carry. */
  readonly open: (store: Store, nowMs: number, sid?: string) => Promise<StoredSession>
}

export interface StoredSession {
  readonly sid: string
  readonly superseded: readonly string[]
  /** A turn with the given generation, by an attempt of its own unless one is named. */
  readonly turn: (generation: number, nowMs: number, attempt?: string) => Turn
}

export async function storeUser(store: Store, { buckets = 1 }: { buckets?: number } = {}): Promise<StoredUser> {
  const username = `user-${mintId(systemRandom)}`
  const account: Account = {
    userId: await mintUserId(systemRandom, username, buckets),
    username,
    hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0MDA',
    status: 'active',
    roles: 'customer',
    createdAtMs: 1_700_000_000_000,
  }
  await store.createAccount({ account, actor })
  return {
    account,
    keys: createKeyNames(buckets),
    async open(at, nowMs, sid = mintId(systemRandom)) {
      const familyDigest = mintId(systemRandom)
      const opened = await at.openSession({
        account,
        clientId: 'app',
        sid,
        familyDigest,
        device: 'Firefox on Linux',
        nowMs,
        actor,
      })
      if (opened.status !== 'opened') throw new Error('the session was not opened')
      return {
        sid,
        superseded: opened.superseded,
        turn: (generation, turnMs, attempt = mintId(systemRandom)) => ({
          userId: account.userId,
          sid,
          generation,
          familyDigest,
          attemptDigest: createHash('sha256').update(attempt).digest('base64url').slice(0, 8),
          clientIds: ['app'],
          nowMs: turnMs,
          actor,
        }),
      }
    },
  }
}

/** What a turn came to, in one word. */
export async function outcomeOf(turn: ReturnType<Store['rotate']>): Promise<string> {
  const result = await turn
  return result.ok ? result.value.how : result.failure.reason
}
