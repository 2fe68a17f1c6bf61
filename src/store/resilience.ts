/**
 * How long a store call may take and what happens when it fails. Every call is safe to repeat, so one quick retry is;
 * while the store is known to be down, a circuit breaker answers at once (design section 5).
 */
import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  retry,
  TaskCancelledError,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel'
import { StoreUnavailable } from '../failure.ts'

/** Failures in a row that open the circuit. One refused call is an accident, five are an outage. */
const BREAK_AFTER_FAILURES = 5
/** How long the circuit stays open before one call may try the store again. */
const TRIAL_AFTER_MS = 1000

/**
 * Runs store calls under one deadline, retry included.
 *
 * @throws {StoreUnavailable} whatever went wrong. Its message is a code without any argument of the call, since the
 * client's errors echo the whole command.
 */
export function createResilience(timeoutMs: number): <T>(call: () => Promise<T>) => Promise<T> {
  const breaker = circuitBreaker(handleWhen(isOutage), {
    halfOpenAfter: TRIAL_AFTER_MS,
    breaker: new ConsecutiveBreaker(BREAK_AFTER_FAILURES),
  })
  // An attempt that timed out has used up the deadline: the retry is for those that failed sooner.
  const onceMore = retry(
    handleWhen((error) => isOutage(error) && !hasTimedOut(error)),
    { maxAttempts: 1 },
  )
  const policy = wrap(breaker, timeout(timeoutMs, TimeoutStrategy.Aggressive), onceMore)
  return async (call) => {
    // The library lets others wait for the trial's outcome; a request must not wait for another request's I/O.
    if (breaker.state === CircuitState.HalfOpen) throw new StoreUnavailable('trial under way')
    try {
      return await policy.execute(call)
    } catch (error) {
      throw new StoreUnavailable(causeOf(error))
    }
  }
}

/**
 * Whether the store is in trouble, and not just what one key holds: a value of another type, or one that makes a script
 * fail, must not open the circuit for everybody.
 */
function isOutage(error: unknown): boolean {
  const isOfOneKey =
    error instanceof Error && error.name === 'UpstashError' && /^(WRONGTYPE|ERR .*user_script)/.test(error.message)
  return !isOfOneKey
}

/** A Redis error's code word (`WRONGTYPE`, `OOM`), else the kind of error; never its text. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  if (error instanceof BrokenCircuitError) return 'circuit open'
  if (hasTimedOut(error)) return 'timed out'
  const code = error.name === 'UpstashError' ? /^[A-Z]{2,20}(?= )/.exec(error.message)?.[0] : undefined
  return code ? `${error.name} ${code}` : error.name
}

/** The first of the deadline's two timers wins: that of the whole call, or that of its attempt. */
function hasTimedOut(error: unknown): boolean {
  return error instanceof TaskCancelledError || (error instanceof Error && error.name === 'TimeoutError')
}
