/**
 * How long a store call may take and what happens when it fails. Calls that are safe to repeat are,
 * once and quickly; while the store is known to be down, a circuit breaker answers at once (design section 5).
 */
import { BrokenCircuitError, circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen, retry } from 'cockatiel'
import { StoreUnavailable } from '../failure.ts'
import { systemClock } from '../system.ts'

/** Failures in a row that open the circuit. One refused call is an accident, five are an outage. */
const BREAK_AFTER_FAILURES = 5
/** How long the circuit stays open before one call may try the store again. */
const TRIAL_AFTER_MS = 1000
/** How much longer than its deadline a trial may seem to take. */
const TRIAL_EXTRA_MS = 250

interface Demand {
  /** For the one call that is not safe to repeat. */
  readonly once?: boolean | undefined
  /** Less time than the deadline allows: who waits for the call will be gone by then. */
  readonly withinMs?: number | undefined
}

/** Runs a store call. */
export type Guarded = <T>(call: () => Promise<T>, demand?: Demand) => Promise<T>

/**
 * Runs store calls under one deadline, retry included.
 *
 * @throws {StoreUnavailable} whatever went wrong. Its message is a code without any argument of the call, since the
 * client's errors echo the whole command.
 */
export function createResilience(timeoutMs: number): Guarded {
  let guard = createGuard(timeoutMs)
  return async (call, { once = false, withinMs = timeoutMs } = {}) => {
    if (guard.isTrying()) {
      // The library lets others wait for the trial's outcome; a request must not wait for another request's I/O.
      if (!guard.hasLostTrial()) throw new StoreUnavailable('trial under way')
      guard = createGuard(timeoutMs)
    }
    const attempts = once ? call : () => guard.onceMore(call)
    try {
      return await guard.execute(() => hurry(attempts, withinMs))
    } catch (error) {
      throw new StoreUnavailable(causeOf(error))
    }
  }
}

/** Lets the call fail in time. The library's own policy does it, too, but winds up signals that nobody listens to: at a price. */
async function hurry<T>(call: () => Promise<T>, withinMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new DOMException('the store is slow', 'TimeoutError')), withinMs)
  try {
    return await Promise.race([call(), late])
  } finally {
    clearTimeout(timer)
  }
}

function createGuard(timeoutMs: number) {
  const breaker = circuitBreaker(handleWhen(isOutage), {
    halfOpenAfter: TRIAL_AFTER_MS,
    breaker: new ConsecutiveBreaker(BREAK_AFTER_FAILURES),
  })
  // An attempt that timed out has used up the deadline: the retry is for those that failed sooner.
  const onceMore = retry(
    handleWhen((error) => isOutage(error) && !hasTimedOut(error)),
    { maxAttempts: 1 },
  )
  let trialBeganAtMs = 0
  breaker.onHalfOpen(() => (trialBeganAtMs = systemClock.nowMs()))
  return {
    execute: <T>(call: () => Promise<T>) => breaker.execute(call),
    onceMore: <T>(call: () => Promise<T>) => onceMore.execute(call),
    isTrying: () => breaker.state === CircuitState.HalfOpen,
    /** A trial dies with its request, timers and all, when the runtime cancels that. The circuit would stay half open. */
    hasLostTrial: () => Math.abs(systemClock.nowMs() - trialBeganAtMs) > timeoutMs + TRIAL_EXTRA_MS,
  }
}

/**
 * Whether the store is in trouble, and not just what one key holds: a value of another type, or one that makes a script
 * fail, must not open the circuit for everybody.
 */
function isOutage(error: unknown): boolean {
  return !/^(WRONGTYPE|ERR .*user_script)/.test(refusalOf(error) ?? '')
}

/** A Redis error's code word (`WRONGTYPE`, `OOM`), else the kind of error; never its text. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error instanceof BrokenCircuitError) return 'circuit open'
  if (hasTimedOut(error)) return 'timed out'
  const code = /^[A-Z]{2,20}(?= )/.exec(refusalOf(error) ?? '')?.[0]
  return code ? `${error.name} ${code}` : error.name
}

/** What Redis said; the client puts before it which command of a pipeline it was. */
function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'UpstashError') return undefined
  return error.message.replace(/^Command \d+ \[ \w+ \] failed: /, '')
}

/** By the deadline of the whole call, or by that of its attempt. */
function hasTimedOut(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}
