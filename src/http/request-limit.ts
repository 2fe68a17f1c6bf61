/** How often a client may call, as one isolate remembers it: no store call, and the same small work however many calls. */
import { failed, ok, type Result } from '../failure.ts'
import type { Clock } from '../system.ts'

export interface RequestLimit {
  /** Counts a call of a configured client, or says when the next one may come. */
  admit(clientId: string): Result<void, { reason: 'too_many_attempts'; retryAfterSeconds: number }>
}

/** As many calls as a second allows may come at once. */
const BURST_MS = 1000

/**
 * The generic cell rate algorithm: all that is kept of a client is when it would be through with the calls it has made, one
 * after the other. Clients are few, as many as are configured.
 *
 * @param perSecond 0 for no limit
 */
export function createRequestLimit(perSecond: number, clock: Clock): RequestLimit {
  const everyMs = 1000 / perSecond
  const throughMs = new Map<string, number>()
  return {
    admit(clientId) {
      if (perSecond === 0) return ok(undefined)
      const nowMs = clock.nowMs()
      const counted = Math.max(throughMs.get(clientId) ?? 0, nowMs)
      // Nobody is let in further ahead than a burst: the clock was set back, and that is no reason to refuse.
      const through = counted > nowMs + BURST_MS ? nowMs : counted
      const waitMs = through + everyMs - BURST_MS - nowMs
      throughMs.set(clientId, waitMs > 0 ? through : through + everyMs)
      if (waitMs <= 0) return ok(undefined)
      return failed({ reason: 'too_many_attempts', retryAfterSeconds: Math.ceil(waitMs / 1000) })
    },
  }
}
