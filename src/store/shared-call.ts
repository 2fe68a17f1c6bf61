/**
 * Questions to the store that share a call: what arrives while a call is under way is asked together in the next one.
 *
 * In workerd a request may neither wait for another's I/O without a timer of its own (it would be taken for hung) nor leave I/O
 * behind when it ends. So each question has a deadline of its own, and each call is made by one of those who wait for it: the
 * youngest, whose deadline is the last, so that nobody who still waits loses the call when its maker gives up.
 */
import { StoreUnavailable } from '../failure.ts'
import { systemClock } from '../system.ts'

/** The most questions of one call: about 30 kB of answer. Who fills a call makes it at once. */
const SHARED_LIMIT = 100
/** How long a question waits for the call before it: a slow one, or one whose maker has vanished, must not use up its deadline. */
const PATIENCE_MS = 100
/** How much sooner a call ends than its maker gives up: whoever judges the store by its calls must hear of it. */
const CALL_MARGIN_MS = 5

interface Turn<Q, A> {
  readonly question: Q
  readonly answer: PromiseWithResolvers<A>
  /** Settles when the next call is this one's to make. */
  readonly chosen: PromiseWithResolvers<void>
  /** The call to make: the questions of all who wait for it. */
  call?: readonly Turn<Q, A>[]
}

/** Asks in one call, and answers in the same order; must end within so many milliseconds. What it throws goes to all who asked. */
export type AskAll<Q, A> = (questions: readonly Q[], withinMs: number) => Promise<readonly A[]>

/**
 * Makes a question of one out of a call for many.
 *
 * @param timeoutMs deadline of each question from when it is put, after which it throws {@link StoreUnavailable}
 */
export function shareCalls<Q, A>(askAll: AskAll<Q, A>, timeoutMs: number): (question: Q) => Promise<A> {
  const waiting: Turn<Q, A>[] = []
  let underWay: readonly Turn<Q, A>[] | undefined

  /** Lets `turn` make the call for those of `call`. */
  function choose(turn: Turn<Q, A>, call: readonly Turn<Q, A>[]): void {
    turn.call = underWay = call
    turn.chosen.resolve()
  }

  async function make(call: readonly Turn<Q, A>[], withinMs: number): Promise<void> {
    try {
      const questions = call.map(({ question }) => question)
      const answers = await askAll(questions, withinMs)
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

  /** Until there is an answer, or a call to make. */
  async function waitForTurn(turn: Turn<Q, A>): Promise<void> {
    waiting.push(turn)
    const patience = startTimer(Math.min(PATIENCE_MS, timeoutMs))
    await Promise.race([turn.answer.promise, turn.chosen.promise, patience.over]).finally(patience.clear)
    if (waiting.includes(turn)) choose(turn, waiting.splice(0))
  }

  return async (question) => {
    const turn: Turn<Q, A> = { question, answer: Promise.withResolvers<A>(), chosen: Promise.withResolvers<void>() }
    const arrivedAtMs = systemClock.nowMs()
    const deadline = startTimer(timeoutMs)
    try {
      const isAlone = underWay === undefined && waiting.length === 0
      if (isAlone || waiting.length >= SHARED_LIMIT - 1) choose(turn, [...waiting.splice(0), turn])
      else await waitForTurn(turn)
      const leftMs = timeoutMs - Math.max(systemClock.nowMs() - arrivedAtMs, 0)
      if (turn.call) void make(turn.call, leftMs - CALL_MARGIN_MS)
      const late = deadline.over.then(() => Promise.reject(new StoreUnavailable('timed out')))
      return await Promise.race([turn.answer.promise, late])
    } finally {
      deadline.clear()
      // A call that outlives its maker is nobody's any more.
      if (turn.call) end(turn.call)
    }
  }
}

function startTimer(ms: number) {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  return { over, clear: () => clearTimeout(timer) }
}
