import type { SignedIn } from './api.ts'
import { startStopwatch, type Stopwatch } from './stopwatch.ts'
import type { Surroundings } from './surroundings.ts'
import type { Grant } from './wire.ts'

/** The access token in memory: nowhere else is it kept. */
export interface Token {
  readonly value: string
  readonly sessionId: string
  readonly ageMs: () => number
  /** How long it is still good for; negative when it is not. */
  readonly leftMs: () => number
  /** How long until a new one should be fetched; negative when that is due. */
  readonly dueInMs: () => number
}

/** A token with less time left may be over by the time the API reads it. */
const MARGIN_MS = 5000
/** A new token is fetched this long before the old one ends, or a third of its life, less up to half for jitter. */
const LEAD_MS = 60_000

export function createToken(
  around: Surroundings,
  { token, sessionId, lifetimeMs }: Grant,
  /** Runs since before the token was issued, so that it never seems younger than it is. */
  since: Stopwatch = startStopwatch(around),
): Token {
  const leadMs = Math.min(LEAD_MS, lifetimeMs / 3) * (0.5 + around.random() / 2)
  return {
    value: token,
    sessionId,
    ageMs: since,
    leftMs: () => lifetimeMs - since(),
    dueInMs: () => lifetimeMs - leadMs - since(),
  }
}

export function isUsable(token: Token | undefined): boolean {
  return token !== undefined && token.leftMs() > MARGIN_MS
}

/** No token is always due. */
export function isDue(token: Token | undefined): boolean {
  return !token || token.dueInMs() <= 0
}

/** The token as its page may know it. */
export function describeToken({ wallMs }: Surroundings, token: Token): SignedIn {
  const nowMs = wallMs()
  return {
    kind: 'signed-in',
    sessionId: token.sessionId,
    refreshedAtMs: nowMs - token.ageMs(),
    refreshDueAtMs: nowMs + token.dueInMs(),
    expiresAtMs: nowMs + token.leftMs(),
  }
}
