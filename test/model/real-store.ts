/**
 * What the real store makes of a call: the adapter, the bridge, the scripts and Redis, as a function of what is stored.
 *
 * The scripts read no clock and touch only the keys they are given, so the same call on the same bytes has the same
 * effect. Each such pair is therefore run once, however many states of the model come by it.
 */
import { writeAccount } from '../../src/store/schema.ts'
import type { Account, Store } from '../../src/store/store.ts'
import { actor } from '../support/actor.ts'
import { storeUser, type StoredUser, type TestStore } from '../support/store.ts'

export type Sid = 'A' | 'B' | 'C'

/** What Redis holds of the user, but for the feed, which no session script reads. */
export interface Stored {
  readonly record: string | null
  /** The sessions whose access token is denied on its own. */
  readonly denied: readonly Sid[]
  readonly hasAccount: boolean
  /** The bucket's; null at first, and when it is lost. */
  readonly epoch: string | null
}

/** One call of the port. Every session has one access token that is ever shown. */
export type StoreCall =
  | { readonly verb: 'open'; readonly sid: Sid; readonly nowMs: number }
  | {
      readonly verb: 'rotate'
      readonly sid: Sid
      readonly generation: number
      readonly attempt: string
      readonly clientId: string
      readonly nowMs: number
    }
  | { readonly verb: 'end'; readonly sid: Sid; readonly by: 'refresh token' | 'access token'; readonly nowMs: number }
  | { readonly verb: 'check'; readonly sid: Sid; readonly nowMs: number }

export interface Effect {
  /** The answer in one word. */
  readonly answer: string
  readonly stored: Stored
  /** For how long the record was stored, if it was written. */
  readonly ttlMs: number | undefined
  /** What the feed was told: ids of sessions, and `jti` before those of their access tokens. */
  readonly announced: readonly string[]
}

export interface RealStore {
  /** The effects of calls, each on what is stored before it. */
  effectsOf(calls: readonly (readonly [Stored, StoreCall])[]): Promise<readonly Effect[]>
  /** How many calls the store answered. */
  readonly answered: number
}

/** As many as there are buckets: each user has a feed of their own, and all are asked at once. */
const LANES = 16
/** All times of the model are multiples of it, so that the store's own clock may run on for as long unnoticed. */
export const TICK_MS = 5000

export async function createRealStore(
  started: TestStore,
  connect: (changes: Readonly<Record<string, string>>) => Store,
): Promise<RealStore> {
  const store = connect({ STORE_BUCKETS: String(LANES) })
  const known = new Map<string, Effect>()
  const lanes = await makeLanes(store)

  return {
    async effectsOf(calls) {
      const keyed = calls.map(([stored, call]) => ({ key: keyOf(stored, call), stored, call }))
      const missing = new Map(keyed.filter(({ key }) => !known.has(key)).map((one) => [one.key, one]))
      const queue = missing.values()
      const work = async (user: StoredUser) => {
        for (const { key, stored, call } of queue) known.set(key, await run({ started, store, user }, stored, call))
      }
      await Promise.all(lanes.map(work))
      return keyed.flatMap(({ key }) => known.get(key) ?? [])
    },

    get answered() {
      return known.size
    },
  }
}

/** Two calls with the same key are the same call on the same bytes. */
function keyOf({ record, denied, hasAccount, epoch }: Stored, call: StoreCall): string {
  return [record, hasAccount, epoch, ...denied, ...Object.values(call)].join('|')
}

/** A user in each bucket. */
async function makeLanes(store: Store): Promise<StoredUser[]> {
  const byFeed = new Map<string, StoredUser>()
  while (byFeed.size < LANES) {
    const user = await storeUser(store, { buckets: LANES })
    byFeed.set(user.keys.feed(user.account.userId), user)
  }
  return [...byFeed.values()]
}

interface Lane {
  readonly started: TestStore
  readonly store: Store
  readonly user: StoredUser
}

const allSids: readonly Sid[] = ['A', 'B', 'C']

/** Puts Redis into the state, makes the call, and reads what has become of it. */
async function run({ started: { direct }, store, user }: Lane, stored: Stored, call: StoreCall): Promise<Effect> {
  const { account, keys } = user
  const { userId } = account
  const key = keys.session(userId)
  const feed = keys.feed(userId)
  const epochKey = keys.epoch(userId)
  const accountKey = await keys.account(account.username)
  const denials = allSids.map((sid) => keys.denial(userId, jtiOf(sid)))

  const before = direct.pipeline().del(key, feed, accountKey, epochKey, ...denials)
  if (stored.record !== null) before.set(key, stored.record)
  if (stored.epoch !== null) before.set(epochKey, stored.epoch)
  if (stored.hasAccount) before.set(accountKey, writeAccount(account))
  for (const sid of stored.denied) before.set(keys.denial(userId, jtiOf(sid)), '1')
  await before.exec()

  const answer = await answerOf(store, account, call)

  const [record, epoch, ttl, entries, ...denied] = await Promise.all([
    direct.get(key),
    direct.get(epochKey),
    direct.pttl(key),
    direct.xrange(feed, '-', '+'),
    ...denials.map((denial) => direct.exists(denial)),
  ])
  if (record !== null && record !== stored.record && ttl < 0) throw new Error('a record was stored without an expiry')
  return {
    answer,
    stored: {
      record,
      denied: allSids.filter((_, place) => denied[place] === 1),
      hasAccount: stored.hasAccount,
      epoch,
    },
    ttlMs: ttl < 0 ? undefined : Math.ceil(ttl / TICK_MS) * TICK_MS,
    announced: entries.map(([, [, kind, , id]]) => `${kind === 'jti' ? 'jti ' : ''}${id?.at(-1)}`),
  }
}

/** Makes the call of the port, on whatever is stored. */
export async function answerOf(store: Store, account: Account, call: StoreCall): Promise<string> {
  const { userId } = account
  const { sid: letter, nowMs } = call
  const sid = idOf(letter)
  switch (call.verb) {
    case 'open':
      return (await store.openSession({ account, clientId: 'app', sid, familyDigest: sid, device: '', nowMs, actor }))
        .status
    case 'rotate': {
      const { generation, attempt, clientId } = call
      const turn = { userId, sid, generation, familyDigest: sid, clientIds: [clientId], nowMs }
      const result = await store.rotate({ ...turn, attemptDigest: digestOf(attempt), actor })
      return result.ok ? result.value.how : result.failure.reason
    }
    case 'end':
      return call.by === 'refresh token'
        ? store.endSession({ userId, sid, familyDigest: sid, nowMs, actor })
        : store.endSession({ userId, sid, accessToken: { jti: jtiOf(letter), expMs: nowMs + 300_000 }, nowMs, actor })
    case 'check':
      return (await store.check({ userId, sid, jti: jtiOf(letter), nowMs })).status
    default:
      return call satisfies never
  }
}

/** As long as what is kept of a real one. */
function digestOf(attempt: string): string {
  const digest = attempt.padEnd(8, '.')
  if (digest.length > 8) throw new Error(`the attempt ${attempt} is too long to be told from others`)
  return digest
}

/** An id as long as a real one, of the session's letter, so that no two begin alike. */
function idOf(sid: Sid): string {
  return sid.repeat(22)
}

function jtiOf(sid: Sid): string {
  return `jti${sid.padStart(19, '0')}`
}
