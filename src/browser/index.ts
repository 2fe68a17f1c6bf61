/** `latchkey/browser`: the session of a single-page app, which two tabs, a lost answer or a sleeping laptop do not end. */
import type { Session, SessionOptions } from './api.ts'
import { openSession } from './session.ts'
import { browserSurroundings } from './surroundings.ts'

export { SessionError } from './api.ts'
export type { Outcome, Session, SessionEvent, SessionOptions, SessionStatus, SignedIn } from './api.ts'

/**
 * The session of this page, restored silently if there was one. Make it once, when the page loads.
 *
 * The access token is kept in memory only; the refresh token is a cookie that no script can read. Every tab that makes a
 * session of the same issuer and client shares it.
 */
export function createSession(options: SessionOptions): Session {
  return openSession(options, browserSurroundings())
}
