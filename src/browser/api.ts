/** What a page sees of a session: what it can do, how things stand, what happened, how a call was refused. */

export interface SessionOptions {
  /** Origin of the Latchkey service. */
  readonly issuer: string
  readonly clientId: string
  /** Origins whose APIs get the access token; the page's own and the issuer always do. */
  readonly apis?: readonly string[]
  /** Instead of the browser's own, for every request. */
  readonly fetch?: typeof fetch
}

export interface Session {
  /** How things stand: the same object until something changed, so it can be given to React's `useSyncExternalStore`. */
  readonly status: () => SessionStatus
  /** Calls the listener with everything that happens. The function it returns stops that. */
  readonly subscribe: (listener: (event: SessionEvent) => void) => () => void
  readonly login: (username: string, password: string) => Promise<Outcome>
  /** Registers an account, where the service allows that. It signs nobody in. */
  readonly signUp: (username: string, password: string) => Promise<Outcome>
  /** Ends the session, in all tabs. If that fails (`ok: false`) it goes on: tell the user. */
  readonly logout: () => Promise<Outcome>
  /**
   * Asks the service now, unless somebody is signed in: on a first visit that may have a session all the same, for example
   * after the page's storage was cleared, or to try again without waiting.
   */
  readonly restore: () => Promise<SessionStatus>
  /** A token that is good for some seconds at least. Ask for it anew each time. @throws {SessionError} */
  readonly getAccessToken: () => Promise<string>
  /** `fetch` with the access token; tries once more after a 401. @throws {SessionError} or as `fetch` does */
  readonly fetch: typeof fetch
  /** Stops everything that goes on by itself, for a page that makes another session. Signs nobody out. */
  readonly close: () => void
}

/** How things stand. A snapshot: the same object until something changed. Times are estimates in `Date.now()` terms. */
export type SessionStatus =
  /** There may be a session; the server is being asked. Show neither a sign-in form nor anybody's content. */
  | { readonly kind: 'restoring' }
  /** Nobody is signed in. `code` is `signed_out`, unless the service ended the session: then it is its own. */
  | { readonly kind: 'signed-out'; readonly code: string; readonly message: string }
  | SignedIn
  /** The session is kept, but no fresh token can be had just now: it is tried again by itself, at `retryAtMs`. */
  | { readonly kind: 'offline'; readonly retryAtMs: number; readonly code: string; readonly message: string }
  /** A newer sign-in of the same user, elsewhere, ended this session. */
  | { readonly kind: 'superseded'; readonly code: string; readonly message: string }
  /** The session was not used for too long, or reached its greatest age. */
  | { readonly kind: 'expired'; readonly code: string; readonly message: string }

/** A changed `sessionId` is another session and perhaps another user: drop what was shown. */
export interface SignedIn {
  readonly kind: 'signed-in'
  readonly sessionId: string
  /** When this tab got the token, from the service or from another tab. */
  readonly refreshedAtMs: number
  /** When the next one will be fetched if the page is visible then. */
  readonly refreshDueAtMs: number
  /** When the token ends; the session does not. */
  readonly expiresAtMs: number
}

/** What happened, for a page that wants to show it. The status may or may not have changed. */
export type SessionEvent =
  /** This tab signed a user in. */
  | { readonly type: 'signed-in'; readonly sessionId: string }
  /** This tab fetched a new token. */
  | { readonly type: 'refreshed'; readonly sessionId: string }
  /** Another tab handed over the token that it had fetched. */
  | { readonly type: 'shared'; readonly sessionId: string }
  /** No token could be had; the session is kept, and in `inMs` it is tried again. */
  | { readonly type: 'retry'; readonly inMs: number; readonly code: string; readonly message: string }
  /** The session ended, here or in another tab: the status says how. */
  | { readonly type: 'ended'; readonly status: SessionStatus }
  /** The server is being asked whether there is a session. */
  | { readonly type: 'restoring' }

/** What came of a call. `code` is the service's own, or `unreachable` if no answer of the service arrived. */
export type Outcome =
  | { readonly ok: true }
  | {
      readonly ok: false
      readonly code: string
      /** For people, in English. */
      readonly message: string
      /** How long to wait before another try, where the service said so. */
      readonly retryAfterMs?: number | undefined
    }

/**
 * No access token can be had. `code` is that of the status: `signed_out`, `session_superseded`, `session_expired` and so
 * on; while `offline`, when the session is kept, that of the last failure, such as `unreachable` or `store_unavailable`.
 * Or it is `origin_not_listed`: see `apis` in the options; or `session_changed`: somebody else signed in during the call.
 */
export class SessionError extends Error {
  override readonly name = 'SessionError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
