/** One reading of the store that the requests of an isolate share: the store is asked once a second at most. */
import { StoreUnavailable } from '../failure.ts'
import { pause } from '../pause.ts'
import type { Clock } from '../system.ts'

const READ_EVERY_MS = 1000
/** How often a waiting request looks whether the one that is reading has finished. */
const LOOK_AGAIN_MS = 10
/** How much longer than a store call's deadline a reading may take: one that does has died with its request. */
const READING_EXTRA_MS = 250

export interface Reading<T> {
  readonly value: T
  /** When the store was asked. */
  readonly askedAtMs: number
}

export interface SharedReading<T> {
  /**
   * What was read less than a second ago, or with `sinceMs` not before then: by this request or, meanwhile, by another, for
   * which it waits by a timer of its own.
   * @throws {StoreUnavailable} at once while the last reading failed; it is tried again after a second
   */
  read(sinceMs?: number): Promise<Reading<T>>
}

/** @param ask asks the store; it is given what was read last */
export function shareReading<T>(
  ask: (last: T | undefined) => Promise<T>,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): SharedReading<T> {
  let last: Reading<T> | undefined
  let askedAtMs = -Infinity
  let state: 'idle' | 'reading' | 'failed' = 'idle'

  async function readNow(): Promise<Reading<T>> {
    const nowMs = clock.nowMs()
    askedAtMs = nowMs
    state = 'reading'
    try {
      const reading = { value: await ask(last?.value), askedAtMs: nowMs }
      // A reading that was given up as dead, and came back late, knows less than the one after it.
      if (askedAtMs === nowMs) [last, state] = [reading, 'idle']
      return reading
    } catch (error) {
      if (askedAtMs === nowMs) state = 'failed'
      throw error
    }
  }

  return {
    async read(sinceMs) {
      for (;;) {
        const nowMs = clock.nowMs()
        const oldest = sinceMs ?? nowMs - READ_EVERY_MS + 1
        if (last && last.askedAtMs >= oldest && last.askedAtMs <= nowMs) return last
        const sinceAskedMs = Math.abs(nowMs - askedAtMs)
        if (sinceAskedMs >= (state === 'reading' ? timeoutMs + READING_EXTRA_MS : READ_EVERY_MS)) return readNow()
        if (state === 'failed') throw new StoreUnavailable('the last reading failed')
        await pause(LOOK_AGAIN_MS)
      }
    },
  }
}
