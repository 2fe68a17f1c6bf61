/**
 * One call at a time, for all who need its effect.
 *
 * In workerd a call dies with the request that made it, and tells nobody. So a call counts as under way only until its
 * deadline, and whoever waits for it does so by a timer of its own.
 */
import type { Clock, Moment } from './clock.ts'
import { withDeadline } from './deadline.ts'

/** Keeps a promise alive after the answer was sent: `ctx.waitUntil` of Workers. */
export type WaitUntil = (promise: Promise<unknown>) => void

export type CallOutcome = 'none' | 'running' | 'abandoned' | 'done' | 'failed'

/** For `state()`: what failed, with the code by which Node says why, such as ECONNREFUSED. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  const code: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : undefined
  return typeof code === 'string' ? `${error.message} (${code})` : error.message
}

export interface SharedCall {
  /** Starts a call, unless one is under way. Does not wait. */
  start(waitUntil?: WaitUntil): void
  /** Waits for the call under way, if any, until its deadline. Never rejects: {@link SharedCall.outcome} tells. */
  settled(): Promise<void>
  outcome(): CallOutcome
  /** Milliseconds since the last call was started. */
  sinceStartMs(): number
  readonly counts: { readonly calls: number; readonly failures: number; readonly lastFailure: string | undefined }
}

export interface SharedCallOptions {
  readonly clock: Clock
  /** How long a step of a call can take. */
  readonly limitMs: number
  /** Calls `step` before each of its requests: its deadline starts anew. */
  readonly run: (step: () => void) => Promise<void>
}

interface Call {
  startedAt: Moment
  steppedAt: Moment
  outcome: 'running' | 'done' | 'failed'
  promise: Promise<void>
}

/** Beyond the deadline of the call itself, so that its own failure is heard first. */
const GRACE_MS = 100

export function createSharedCall({ clock, limitMs, run }: SharedCallOptions): SharedCall {
  const counts = { calls: 0, failures: 0, lastFailure: undefined as string | undefined }
  let last: Call | undefined

  const outcome = (): CallOutcome => {
    if (last?.outcome !== 'running') return last?.outcome ?? 'none'
    return clock.sinceMs(last.steppedAt) > limitMs + GRACE_MS ? 'abandoned' : 'running'
  }

  async function follow(call: Call): Promise<void> {
    try {
      await run(() => (call.steppedAt = clock.now()))
      call.outcome = 'done'
      counts.lastFailure = undefined
    } catch (error) {
      call.outcome = 'failed'
      counts.failures += 1
      counts.lastFailure = describe(error)
    }
  }

  return {
    counts,
    outcome,
    sinceStartMs: () => clock.sinceMs(last?.startedAt),
    start(waitUntil) {
      if (outcome() === 'running') return
      const at = clock.now()
      const call: Call = { startedAt: at, steppedAt: at, outcome: 'running', promise: Promise.resolve() }
      last = call
      counts.calls += 1
      call.promise = follow(call)
      try {
        waitUntil?.(call.promise)
      } catch {
        // The caller's own mistake, such as a context of a request that has ended: the call goes on without it.
      }
    },
    async settled() {
      if (!last || outcome() !== 'running') return
      const { promise } = last
      await withDeadline(limitMs + GRACE_MS, () => promise).catch(() => undefined)
    },
  }
}
