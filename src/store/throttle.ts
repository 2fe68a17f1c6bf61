/**
 * How often a password may be tried. NIST SP 800-63B-4 section 3.2.2, OWASP ASVS 6.3.1.
 *
 * A delay is looked at before the password is checked, which saves the work, and again in the step that counts a wrong one
 * or opens the session of a right one: so of any number of guesses that are checked at once, five are answered.
 */

/** Delays of 1, 2, 4 seconds and so on. */
export interface Throttle {
  /** The failure from which on there is a delay. */
  readonly firstDelayed: number
  readonly longestMs: number
  /** After how long without a failure all are forgotten. */
  readonly forgetMs: number
  /** How many failures in a row lock the account, where there is one to lock. */
  readonly lockedAfter?: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** At one username. A success clears it. */
export const accountThrottle: Throttle = {
  firstDelayed: 5,
  longestMs: 15 * MINUTE_MS,
  // Much longer than the longest delay, so that tries at leisure add up to the lock.
  forgetMs: 24 * HOUR_MS,
  lockedAfter: 100,
}

/** From one address, which a whole office may share: shorter, and it locks nothing. */
export const addressThrottle: Throttle = {
  firstDelayed: 5,
  longestMs: MINUTE_MS,
  forgetMs: HOUR_MS,
}

/** How long a stored throttle, as `throttle.lua` describes it, says to wait. */
export function waitOf(stored: string | null, nowMs: number): number {
  const next = /^\d+ (\d+)$/.exec(stored ?? '')?.[1]
  return Math.max(Number(next ?? 0) - nowMs, 0)
}
