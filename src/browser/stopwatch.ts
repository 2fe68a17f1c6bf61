import type { Surroundings } from './surroundings.ts'

/** Milliseconds since it was started. */
export type Stopwatch = () => number

/**
 * Measures by two clocks and believes the one that says more: `Date` may be set back, `performance.now()` may stand still
 * while the machine sleeps. So time may seem to pass too fast, which costs a refresh, and never too slowly
 * or backwards.
 */
export function startStopwatch({ wallMs, monotonicMs }: Pick<Surroundings, 'wallMs' | 'monotonicMs'>): Stopwatch {
  const [wall, monotonic] = [wallMs(), monotonicMs()]
  let most = 0
  return () => (most = Math.max(most, wallMs() - wall, monotonicMs() - monotonic))
}
