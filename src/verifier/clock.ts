/** Time as the verifier sees it: the wall clock for what tokens say, both clocks for how old an answer is. */

export interface VerifierClock {
  /** Milliseconds since the Unix epoch. May step in either direction. */
  nowMs(): number
  /** Milliseconds since any fixed moment; never steps back. Where it is left out, `nowMs` must not step back either. */
  monotonicMs?(): number
}

/** A point in time by both clocks. */
export interface Moment {
  readonly wallMs: number
  readonly monotonicMs: number
}

export interface Clock {
  now(): Moment
  /**
   * Milliseconds since `moment`, rather too many than too few: a monotonic clock stands still while a laptop sleeps,
   * and a wall clock can be set back, so the longer of the two counts.
   */
  sinceMs(moment: Moment | undefined): number
}

export const systemClock: VerifierClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

export function createClock(source: VerifierClock): Clock {
  const now = () => {
    const wallMs = source.nowMs()
    return { wallMs, monotonicMs: source.monotonicMs?.() ?? wallMs }
  }
  return {
    now,
    sinceMs(moment) {
      if (!moment) return Number.POSITIVE_INFINITY
      const { wallMs, monotonicMs } = now()
      const passedMs = monotonicMs - moment.monotonicMs
      // A monotonic clock that went back tells nothing.
      return passedMs < 0 ? Number.POSITIVE_INFINITY : Math.max(passedMs, wallMs - moment.wallMs)
    },
  }
}
