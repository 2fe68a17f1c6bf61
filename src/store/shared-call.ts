/**
 * Questions to the store that share a call: what arrives while a call is under way is asked together in the next one.
 *
 * In workerd a request may neither wait for another's I/O without a timer of its own (it would be taken for hung) nor leave I/O
 * behind when it ends. So each question has a deadline of its own, and each call is made by one of those who wait for it: the
 * youngest, whose deadline is the last, so that nobody who still waits loses the call when its maker gives up.
 */
import { StoreUnavailable } from '../failure.ts'
import { systemClock } from '../system.ts'

/** How much longer than its deadline a call may seem to take: one that does has died with its request. */
const CALL_EXTRA_MS = 250
/** The most questions of one call: about 30 kB of answer. */
const SHARED_LIMIT = 100

interface Turn<Q, A> {
  readonly question: Q
  readonly answer: PromiseWithResolvers<A>
  /** Settles when the next call is this one's to make. */
  readonly chosen: PromiseWithResolvers<void>
  /** The call to make: the questions of all who wait for it. */
  call?: readonly Turn<Q, A>[]
}

/**
 * Makes a question of one out of a call for many.
 *
 * @param askAll asks in one call, and answers in the same order; what it throws goes to all who wait for that call
 * @param timeoutMs deadline of each question from when it is put, after which it throws {@link StoreUnavailable}
 */
export function shareCalls<Q, A>(
  askAll: (questions: readonly Q[]) => Promise<readonly A[]>,
  timeoutMs: number,
): (question: Q) => Promise<A> {
  const waiting: Turn<Q, A>[] = []
  let underWay: readonly Turn<Q, A>[] | undefined
  let beganAtMs = 0

  function isBusy(): boolean {
    return underWay !== undefined && Math.abs(systemClock.nowMs() - beganAtMs) <= timeoutMs + CALL_EXTRA_MS
  }

  /** Lets `turn` make the call for those of `call`. */
  function choose(turn: Turn<Q, A>, call: readonly Turn<Q, A>[]): void {
    turn.call = underWay = call
    beganAtMs = systemClock.nowMs()
    turn.chosen.resolve()
  }

  async function make(call: readonly Turn<Q, A>[]): Promise<void> {
    try {
      const answers = await askAll(call.map(({ question }) => question))
      for (const [i, turn] of call.entries()) {
        const answer = answers[i]
        if (answer === undefined) throw new StoreUnavailable('unreadable reply')
        turn.answer.resolve(answer)
      }
    } catch (error) {
      for (const turn of call) turn.answer.reject(error)
    } finally {
      end(call)
    }
  }

  /** The next call is for those who came meanwhile. */
  function end(call: readonly Turn<Q, A>[]): void {
    if (underWay !== call) return
    underWay = undefined
    const next = waiting.splice(0, SHARED_LIMIT)
    const youngest = next.at(-1)
    if (youngest) choose(youngest, next)
  }

  return async (question) => {
    const turn: Turn<Q, A> = { question, answer: Promise.withResolvers<A>(), chosen: Promise.withResolvers<void>() }
    const deadline = startDeadline(timeoutMs)
    try {
      if (isBusy()) waiting.push(turn)
      else choose(turn, [turn])
      await Promise.race([turn.answer.promise, turn.chosen.promise, deadline.passed])
      if (turn.call) void make(turn.call)
      return await Promise.race([turn.answer.promise, deadline.passed])
    } finally {
      deadline.clear()
      const place = waiting.indexOf(turn)
      if (place !== -1) waiting.splice(place, 1)
      // A call that outlives its maker is nobody's any more.
      if (turn.call) end(turn.call)
    }
  }
}

function startDeadline(ms: number) {
  const { promise: passed, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new StoreUnavailable('timed out')), ms)
  return { passed, clear: () => clearTimeout(timer) }
}
