/**
 * Key names, all of them.
 *
 * | key | holds | lives |
 * | --- | --- | --- |
 * | `s:{b}:<user id>` | the user's live sessions, JSON; the only key of which there are as many as users, so its name is short | until the last of them expires |
 * | `deny:{b}:<jti>` | an access token denied on its own | until that token expires |
 * | `feed:{b}` | the revocation feed, a stream | one access token lifetime plus leeway after its last entry |
 * | `epoch:{b}` | a random id; a session is live only while the one under which it was opened stands there | always |
 * | `audit:{b}` | the audit trail, a capped stream | always |
 * | `account:{b}:<username digest>` | an account, JSON | until it is deleted |
 * | `username:{b}:<user id>` | the username under which a user's account is found | as long as that account |
 * | `accounts:{b}` | the usernames of the accounts, a sorted set | as long as there is an account |
 * | `throttle:{b}:<digest>` | how often a sign-in was tried lately, at a username or from an address | a day after the last try |
 * | `throttle:{b}:new:<digest>` | how many accounts were registered from an address lately | an hour at most |
 * | `keyring:{0}` | the signing keys, sealed, JSON | always |
 * | `probe:{0}` | what `npm run keys -- doctor` writes to see whether it can | a second |
 *
 * The hash tag `{b}` is the user's bucket: every script touches one bucket, so one slot of a Redis Cluster. A username
 * and its user id share a bucket because ids are drawn until they do.
 */
import { shortDigest } from '../short-digest.ts'
import { mintId } from '../tokens/refresh.ts'
import type { Random } from '../system.ts'

export interface KeyNames {
  session(userId: string): string
  /** The record, epoch, feed and audit trail of a user: what a script about sessions declares first, in this order. */
  sessionKeys(userId: string): string[]
  denial(userId: string, jti: string): string
  feed(userId: string): string
  /** The feeds of all buckets, in order. */
  readonly feeds: readonly string[]
  epoch(userId: string): string
  /** The epochs of all buckets, in order. */
  readonly epochs: readonly string[]
  trail(userId: string): string
  /** The audit trails of all buckets, in order. */
  readonly trails: readonly string[]
  /** The set of usernames of the bucket that a user is in. */
  usernames(userId: string): string
  /** The sets of usernames of all buckets, in order. */
  readonly allUsernames: readonly string[]
  account(username: string): Promise<string>
  /** Where the username of a user id is kept: in the same slot as the account. */
  username(userId: string): string
  /** Of a username: in the same slot as its account. */
  accountThrottle(username: string): Promise<string>
  /** The audit trail in the same slot as a username's account. */
  accountTrail(username: string): Promise<string>
  /** Of a network address, by its digest. */
  addressThrottle(digest: string): string
  /** Of registrations from a network address, by its digest. */
  registrationThrottle(digest: string): string
  readonly keyRing: string
  /** The feed that tells of withdrawn keys: that of the ring's own bucket. */
  readonly keyFeed: string
  /** The audit trail that tells of keys. */
  readonly keyTrail: string
  readonly probe: string
}

export function createKeyNames(buckets: number): KeyNames {
  const tag = (id: string) => `{${bucketOf(id, buckets)}}`
  const ofAll = (name: string) => Array.from({ length: buckets }, (_, bucket) => `${name}:{${bucket}}`)
  const session = (userId: string) => `s:${tag(userId)}:${userId}`
  const epoch = (userId: string) => `epoch:${tag(userId)}`
  const feed = (userId: string) => `feed:${tag(userId)}`
  const trail = (userId: string) => `audit:${tag(userId)}`
  return {
    session,
    sessionKeys: (userId) => [session(userId), epoch(userId), feed(userId), trail(userId)],
    denial: (userId, jti) => `deny:${tag(userId)}:${jti}`,
    feed,
    feeds: ofAll('feed'),
    epoch,
    epochs: ofAll('epoch'),
    trail,
    trails: ofAll('audit'),
    usernames: (userId) => `accounts:${tag(userId)}`,
    allUsernames: ofAll('accounts'),
    account: async (username) => {
      const digest = await shortDigest(username)
      return `account:${tag(digest)}:${digest}`
    },
    username: (userId) => `username:${tag(userId)}:${userId}`,
    accountThrottle: async (username) => {
      const digest = await shortDigest(username)
      return `throttle:${tag(digest)}:${digest}`
    },
    accountTrail: async (username) => `audit:${tag(await shortDigest(username))}`,
    addressThrottle: (digest) => `throttle:${tag(digest)}:from:${digest}`,
    registrationThrottle: (digest) => `throttle:${tag(digest)}:new:${digest}`,
    keyRing: 'keyring:{0}',
    keyFeed: 'feed:{0}',
    keyTrail: 'audit:{0}',
    probe: 'probe:{0}',
  }
}

/** A new user id in the bucket of its username. */
export async function mintUserId(random: Random, username: string, buckets: number): Promise<string> {
  const bucket = bucketOf(await shortDigest(username), buckets)
  for (;;) {
    const userId = mintId(random)
    if (bucketOf(userId, buckets) === bucket) return userId
  }
}

/** FNV-1a, 32 bits: ids are random already, it only has to spread them the same way everywhere. */
function bucketOf(id: string, buckets: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % buckets
}
