/** The part of the port that is an administrator's: accounts, everybody's sessions, the audit trail. */
import type { Actor, AuditPage, AuditQuery } from './audit.ts'
import type { Account, SessionGrant } from './store.ts'

export interface AccountChange {
  readonly account: Pick<Account, 'userId' | 'username'>
  /** `active` also unlocks, `disabled` ends all sessions. */
  readonly status?: 'active' | 'disabled' | undefined
  /** Space-separated. */
  readonly roles?: string | undefined
  readonly nowMs: number
  readonly actor: Actor
}

/** `present`: taken by an account with the same hash. */
export type CreationOutcome = 'created' | 'taken' | 'present'

export interface AccountDeletion {
  readonly account: Pick<Account, 'userId' | 'username'>
  readonly nowMs: number
  readonly actor: Actor
}

export interface AccountQuery {
  /** How the usernames begin. */
  readonly prefix?: string | undefined
  /** `next` of the page before: a username. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface AccountPage {
  /** By username, in the order of its characters' numbers. */
  readonly accounts: readonly Account[]
  /** Absent at the end. */
  readonly next?: string
}

/** An access token to deny whatever its session. */
export interface JtiDenial {
  readonly userId: string
  readonly jti: string
  readonly expMs: number
  readonly nowMs: number
  readonly actor: Actor
}

/** A session for somebody whom another login system has authenticated. */
export interface SubjectOpening {
  /** Of the subject: the first 16 bytes of its SHA-256, base64url. */
  readonly userId: string
  /** `<client id>:<the client's own name for somebody>`. */
  readonly subject: string
  /** Space-separated; the subject's other sessions have them from now on, too. */
  readonly roles: string
  /** How they were authenticated, space-separated: RFC 8176. */
  readonly amr: string
  readonly clientId: string
  readonly sid: string
  readonly familyDigest: string
  /** What the user may call the device, '' if unknown. At most 32 ASCII characters. */
  readonly device: string
  readonly nowMs: number
  readonly actor: Actor
}

export interface Opened {
  readonly status: 'opened'
  readonly grant: SessionGrant
  /** The sessions that it ended; empty when the store was asked twice. */
  readonly superseded: readonly string[]
}

export interface Administration {
  /**
   * An administrator's change; the user's sessions follow in the same step, and verifiers hear of it. `ended` are the sessions
   * that a disabled account loses. Undefined if the account is no longer there under that name.
   */
  changeAccount(
    change: AccountChange,
  ): Promise<{ readonly account: Account; readonly ended: readonly string[] } | undefined>
  /**
   * Many in one trip, together at most 10 MB; one event of the trail tells of all of a bucket. `created` also when that very user
   * id was made before.
   */
  createAccounts(creation: {
    readonly accounts: readonly Account[]
    readonly actor: Actor
  }): Promise<readonly CreationOutcome[]>
  /** The account goes, and its sessions with it. Undefined if it is no longer there under that name, perhaps because the store was asked twice. */
  deleteAccount(deletion: AccountDeletion): Promise<{ readonly ended: readonly string[] } | undefined>
  listAccounts(query: AccountQuery): Promise<AccountPage>
  /** Ends all sessions of a user, and says which. */
  endAll(user: { readonly userId: string; readonly nowMs: number; readonly actor: Actor }): Promise<readonly string[]>
  /** Ends every session of everyone. `epoch` is a new random id of 8 base64url characters: asked twice with the same one, it ends them once. */
  endEveryone(ending: { readonly epoch: string; readonly nowMs: number; readonly actor: Actor }): Promise<void>
  /** `gone`: the token is dead already. */
  denyJti(denial: JtiDenial): Promise<'denied' | 'gone'>
  /** As `openSession`, without an account and without a throttle. */
  openSubjectSession(opening: SubjectOpening): Promise<Opened>
  readAudit(query: AuditQuery): Promise<AuditPage>
}
