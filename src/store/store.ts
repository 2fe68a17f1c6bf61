/**
 * The port to the store. Its verbs are whole steps of the protocol, each atomic and each safe to repeat, because a step
 * read, decided and written in three calls would be three chances for another server to come between.
 *
 * Every verb throws {@link StoreUnavailable} when the store is slow, down, refusing or makes no sense. No verb ever
 * takes silence for an answer.
 */
import type { RefreshFailure, Result } from '../failure.ts'

/** A user's credentials and status. */
export interface Account {
  readonly userId: string
  readonly username: string
  /** argon2id in PHC form. */
  readonly hash: string
  readonly status: 'active' | 'disabled'
  /** Space-separated, as `scope` is. */
  readonly roles: string
  readonly createdAtMs: number
}

/** A session as a granted rotation or login left it. */
export interface SessionGrant {
  readonly clientId: string
  readonly roles: string
  readonly authAtMs: number
  /** When it ends unless it is used again: its idle or its absolute expiry, which no rotation moves. */
  readonly lastsUntilMs: number
}

export interface Opening {
  /** As it was read when the password was checked. */
  readonly account: Account
  /** A hash to put in the place of the account's. */
  readonly newHash?: string | undefined
  readonly clientId: string
  readonly sid: string
  readonly familyDigest: string
  readonly nowMs: number
}

export interface Turn {
  readonly userId: string
  readonly sid: string
  readonly generation: number
  readonly familyDigest: string
  /** Digest of the idempotency key: 22 characters. */
  readonly attemptDigest: string
  /** The clients whose sessions may be rotated by this call. */
  readonly clientIds: readonly string[]
  readonly nowMs: number
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
}

/** What a live check tells of a session. */
export interface LiveSession {
  readonly clientId: string
  readonly roles: string
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
  readonly jti: string
  readonly expMs: number
  readonly nowMs: number
}

/** A session, an access token or a signing key that is dead, and how long verifiers must remember it. */
export interface FeedEntry {
  /** Where it stands in its bucket: the stream's own id, `<ms>-<sequence>`. */
  readonly place: string
  readonly kind: 'sid' | 'jti' | 'kid'
  readonly id: string
  readonly expMs: number
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
  readonly withdrawn?: { readonly kid: string; readonly nowMs: number } | undefined
}

export interface Store {
  /** The account of a canonical username. */
  findAccount(username: string): Promise<Account | undefined>
  createAccount(account: Account): Promise<'created' | 'taken'>
  /** A login; `superseded` are the sessions it ended (empty when the store was asked twice). `changed`: the account is not the one that was read before. */
  openSession(
    opening: Opening,
  ): Promise<
    | { readonly status: 'opened'; readonly grant: SessionGrant; readonly superseded: readonly string[] }
    | { readonly status: 'changed' }
  >
  /** One step of refresh token rotation: design section 2. */
  rotate(
    turn: Turn,
  ): Promise<
    Result<{ readonly how: 'rotated' | 'replayed' | 'recovered'; readonly grant: SessionGrant }, RefreshFailure>
  >
  /**
   * A logout. `gone`: there was no such session any more, perhaps because the store was asked twice. `foreign`: it is another
   * client's, and was left alone.
   */
  endSession(ending: Ending): Promise<'ended' | 'gone' | 'foreign'>
  /** Denies an access token until it expires. `gone`: it is denied or expired already. */
  denyToken(denial: Denial): Promise<'denied' | 'gone'>
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

/** How much longer than a token the feed remembers its end: verifiers' clocks and polls are late by less. */
export const FEED_LEEWAY_SECONDS = 60
