import { startStopwatch } from './stopwatch.ts'
import type { Surroundings } from './surroundings.ts'

const FIRST_MS = 1000
const LONGEST_MS = 60_000

/** When the service may be asked again after it could not answer. */
export interface Backoff {
  /** 0 when it may be asked. */
  readonly leftMs: () => number
  /** Another failure: the wait doubles, up to a minute, and is never shorter than the service wishes. Returns it. */
  readonly fail: (retryAfterMs?: number) => number
  /** Takes over a wait that another tab has begun. */
  readonly wait: (ms: number) => void
  readonly reset: () => void
}

export function createBackoff(around: Surroundings): Backoff {
  let failures = 0
  let leftMs = () => 0
  function wait(ms: number): void {
    const elapsed = startStopwatch(around)
    leftMs = () => Math.max(0, ms - elapsed())
  }
  return {
    leftMs: () => leftMs(),
    fail(retryAfterMs = 0) {
      const stepMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** failures++)
      // Jitter, so that clients that were cut off together do not come back together.
      const ms = Math.max(stepMs / 2, retryAfterMs) + (stepMs / 2) * around.random()
      wait(ms)
      return ms
    },
    wait(ms) {
      failures++
      wait(ms)
    },
    reset() {
      failures = 0
      leftMs = () => 0
    },
  }
}
