/**
 * The port to the store. Its verbs are whole steps of the protocol, each atomic and each but `openSession` safe to repeat,
 * because a step read, decided and written in three calls would be three chances for another server to come between.
 *
 * Every verb throws {@link StoreUnavailable} when the store is slow, down, refusing or makes no sense. No verb ever
 * takes silence for an answer.
 */
import type { Config } from '../config.ts'
import type { RefreshFailure, Result, TooOften } from '../failure.ts'
import type { Administration, Opened } from './administration.ts'
import type { Actor } from './audit.ts'

/** A user's credentials and status. */
export interface Account {
  readonly userId: string
  readonly username: string
  /** argon2id in PHC form; of an imported account another system's, sealed. */
  readonly hash: string
  /** `locked`: too many wrong passwords in a row. */
  readonly status: 'active' | 'disabled' | 'locked'
  /** Space-separated, as `scope` is. */
  readonly roles: string
  readonly createdAtMs: number
}

/** A session as a granted rotation or login left it. */
export interface SessionGrant {
  readonly clientId: string
  readonly roles: string
  /** Of a session for another login system: who it is for, in place of a user id. */
  readonly subject?: string | undefined
  /** How the user was authenticated, space-separated, '' where nobody said: RFC 8176. */
  readonly amr: string
  readonly authAtMs: number
  /** When it ends unless it is used again: its idle or its absolute expiry, which no rotation moves. */
  readonly lastsUntilMs: number
}

/** Somebody who tries to sign in. */
export interface Attempt {
  /** Canonical. */
  readonly username: string
  /** Of the network address that it comes from, where that is known. */
  readonly addressDigest?: string | undefined
  readonly nowMs: number
}

export interface Opening {
  /** As it was read when the password was checked. */
  readonly account: Account
  /** A hash to put in the place of the account's. */
  readonly newHash?: string | undefined
  readonly clientId: string
  readonly sid: string
  readonly familyDigest: string
  /** What the user may call the device, '' if unknown. At most 32 ASCII characters: the record is small. */
  readonly device: string
  readonly nowMs: number
  readonly actor: Actor
}

export interface PasswordChange {
  /** As it was read when the current password was checked. */
  readonly account: Account
  readonly newHash: string
  /** The session that asks, and goes on. */
  readonly sid: string
  readonly nowMs: number
  readonly actor: Actor
}

/**
 * `ended` are the user's other sessions (empty when the store was asked twice). `gone`: the session that asks is dead. `conflict`:
 * the account is not the one that was read before. `wait`: too many passwords went wrong while this one was checked.
 */
export type PasswordOutcome =
  | { readonly status: 'changed'; readonly ended: readonly string[] }
  | { readonly status: 'gone' | 'conflict' }
  | { readonly status: 'wait'; readonly waitMs: number }

export interface Turn {
  readonly userId: string
  readonly sid: string
  readonly generation: number
  readonly familyDigest: string
  /** Digest of the idempotency key, in base64url: 8 characters of it are kept. */
  readonly attemptDigest: string
  /** The clients whose sessions may be rotated by this call. */
  readonly clientIds: readonly string[]
  readonly nowMs: number
  readonly actor: Actor
}

export interface Ending {
  readonly userId: string
  readonly sid: string
  /** Proof that the caller holds the family; absent when an access token vouches for the session. */
  readonly familyDigest?: string | undefined
  /** The client whose session it must be; any when absent. */
  readonly clientId?: string | undefined
  /** The access token to deny on its own, too. */
  readonly accessToken?: { readonly jti: string; readonly expMs: number } | undefined
  readonly nowMs: number
  readonly actor: Actor
}

/** A live session, as its user sees it. */
export interface ListedSession extends Omit<LiveSession, 'roles'> {
  readonly sid: string
  readonly device: string
  /** Sign-in or last refresh. */
  readonly usedAtMs: number
  /** When it ends unless it is used again. */
  readonly lastsUntilMs: number
}

/** What a live check tells of a session. */
export interface LiveSession {
  readonly clientId: string
  readonly roles: string
  readonly subject?: string | undefined
  readonly amr: string
  readonly authAtMs: number
}

/** What a live check found: only `live` is a yes. */
export type CheckedSession =
  | { readonly status: 'live'; readonly session: LiveSession }
  | { readonly status: 'ended' }
  | { readonly status: 'denied' }

/** An access token to deny on its own: its session lives on. */
export interface Denial {
  readonly userId: string
  readonly sid: string
  /** The client whose session it must be. */
  readonly clientId: string
  readonly jti: string
  readonly expMs: number
  readonly nowMs: number
  readonly actor: Actor
}

/** A session, an access token or a signing key that is dead, and how long verifiers must remember it. */
export interface FeedEntry {
  /** Where it stands in its bucket: the stream's own id and the first characters of `id`, `<ms>-<sequence>-<id…>`. */
  readonly place: string
  /** `all`: every session of everyone. */
  readonly kind: 'sid' | 'jti' | 'kid' | 'all'
  readonly id: string
  readonly expMs: number
  /** Only tokens issued before then are dead: the session goes on, with other roles. */
  readonly beforeMs?: number | undefined
}

/** One page of one bucket's feed. */
export interface FeedPage {
  readonly entries: readonly FeedEntry[]
  /** Whether the page begins right behind the place that was asked for. If not, it begins at the feed's beginning. */
  readonly continued: boolean
  /** Whether there may be more behind it. */
  readonly full: boolean
}

export interface RingReplacement {
  /** The ring as it was read, '' for none. */
  readonly read: string
  readonly next: string
  /** The kid of a key that is new in it. */
  readonly added?: string | undefined
  readonly withdrawn?: { readonly kid: string; readonly nowMs: number } | undefined
  readonly actor: Actor
}

export interface Store extends Administration {
  /** The account of a canonical username. */
  findAccount(username: string): Promise<Account | undefined>
  /** The canonical username of a user id. */
  findUsername(userId: string): Promise<string | undefined>
  /** What a sign-in needs to know before the password is checked. `waitMs` is the same for a username that nobody has. */
  beginLogin(attempt: Attempt): Promise<{ readonly account: Account | undefined; readonly waitMs: number }>
  /**
   * Counts a wrong password, at its account and from its address. If so many have gone wrong meanwhile that the next must
   * wait, `waitMs` is not 0, nothing is counted, and the caller may not be told that it was wrong.
   */
  failLogin(attempt: Attempt & { readonly actor: Actor }): Promise<{ readonly waitMs: number }>
  /** Counts a registration from a network address; if there were too many lately, `waitMs` is not 0 and nothing is counted. */
  admitRegistration(from: {
    readonly addressDigest: string
    readonly nowMs: number
  }): Promise<{ readonly waitMs: number }>
  createAccount(creation: { readonly account: Account; readonly actor: Actor }): Promise<'created' | 'taken'>
  /** The owner's change; every session of theirs but the one that asks ends in the same step, and verifiers hear of it. */
  changePassword(change: PasswordChange): Promise<PasswordOutcome>
  /** A login. `changed`: the account is not the one that was read before. `wait`: too many passwords went wrong while this one was checked. */
  openSession(
    opening: Opening,
  ): Promise<Opened | { readonly status: 'changed' } | { readonly status: 'wait'; readonly waitMs: number }>
  /** One step of refresh token rotation: design section 2. */
  rotate(
    turn: Turn,
  ): Promise<
    Result<
      { readonly how: 'rotated' | 'replayed' | 'recovered'; readonly grant: SessionGrant },
      RefreshFailure | TooOften
    >
  >
  /**
   * A logout. `gone`: there was no such session any more, perhaps because the store was asked twice. `foreign`: it is another
   * client's, and was left alone.
   */
  endSession(ending: Ending): Promise<'ended' | 'gone' | 'foreign'>
  /** The live sessions of a user, the one used last first. */
  listSessions(user: { readonly userId: string; readonly nowMs: number }): Promise<readonly ListedSession[]>
  /** Ends all sessions of a user but `sid`, and says which. */
  endOthers(user: {
    readonly userId: string
    readonly sid: string
    readonly nowMs: number
    readonly actor: Actor
  }): Promise<readonly string[]>
  /** Denies an access token until it expires. `gone`: it, or its session, is dead already. `foreign`: it is another client's. */
  denyToken(denial: Denial): Promise<'denied' | 'gone' | 'foreign'>
  /** Is the session of this access token live, and the token not denied? One trip. */
  check(token: {
    readonly userId: string
    readonly sid: string
    readonly jti: string
    readonly nowMs: number
  }): Promise<CheckedSession>
  /** The key ring as stored, '' when there is none yet. */
  readKeyRing(): Promise<string>
  /** Compare-and-set; answers with what is stored afterwards. A key that it withdraws is announced in the feed. */
  replaceKeyRing(replacement: RingReplacement): Promise<string>
  /** Reads on in the feed of each bucket, in their order, in one trip; {@link FEED_START} reads from the beginning. */
  readFeed(places: readonly string[]): Promise<readonly FeedPage[]>
}

/** The place before every entry. */
export const FEED_START = '0-0'

/** How much longer than a token its end is remembered: `LEEWAY_MS` of `record.lua`. */
const FEED_LEEWAY_SECONDS = 60

/** How long an entry stays in the revocation feed. */
export function feedWindowMs({ accessTtlSeconds }: Pick<Config, 'accessTtlSeconds'>): number {
  return (accessTtlSeconds + FEED_LEEWAY_SECONDS) * 1000
}
