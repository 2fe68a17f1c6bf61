/** The audit trail: who changed what, and from where. Each event is written in the same script as the change it tells of. */

/** Who makes a change. */
export interface Actor {
  /** `user:<user id>`, `client:<client id>`, `operator` for the command line, or `latchkey` for what the service does by itself. */
  readonly by: string
  /** The caller's address, as much of it as `AUDIT_ADDRESS` keeps; '' when unknown or not kept. */
  readonly from: string
  /** `X-Request-Id` of the call, '' where there was none. */
  readonly requestId: string
}

/** An event of the trail. */
export interface AuditEvent {
  /** By the store's clock. */
  readonly atMs: number
  /** As in the log: `session.opened`, `account.disabled` and so on. */
  readonly event: string
  /** Whose account, session or token it is about; absent where it is nobody's, as with signing keys. */
  readonly userId?: string
  readonly sid?: string
  readonly by: string
  readonly from?: string
  readonly requestId?: string
  /** What came of it: `done`, or for reuse `refused`. */
  readonly outcome: string
  /** Such as the roles that were set, the client of a session, the kid of a key. Never a secret. */
  readonly detail?: string
}

export interface AuditQuery {
  /** Only events about this user. */
  readonly userId?: string | undefined
  /** `next` of the page before. */
  readonly before?: string | undefined
  readonly limit: number
}

export interface AuditPage {
  /** Newest first. */
  readonly events: readonly AuditEvent[]
  /** Where to go on; absent at the end. A page may be shorter than its limit, or empty, and yet have one: a call looks through so much and no more. */
  readonly next?: string
}
