/**
 * Questions to the store that share a call: what arrives while a call is under way is asked together in the next one.
 *
 * In workerd a request may neither wait for another's I/O without a timer of its own (it would be taken for hung) nor leave I/O
 * behind when it ends. So who waits has a timer of its own, and each call is made by one of those who wait for it: the youngest,
 * whose deadline is the last, so that nobody who still waits loses the call when its maker gives up. Who makes a call is bound
 * by that call's deadline alone.
 */
import { StoreUnavailable } from '../failure.ts'
import { systemClock } from '../system.ts'

/** The most questions of one call: about 30 kB of answer. Who fills a call makes it at once. */
const SHARED_LIMIT = 100
/** How long a question waits for the call before it: a slow one, or one whose maker has vanished, must not use up its deadline. */
const PATIENCE_MS = 100

type Outcome<A> = { readonly answer: A } | { readonly error: unknown }

interface Turn<Q, A> {
  readonly question: Q
  /** The call to make: the questions of all who wait for it. */
  call?: readonly Turn<Q, A>[]
  outcome?: Outcome<A>
  /** Called when there is a call to make, or an outcome. */
  wake?: () => void
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
    turn.wake?.()
  }

  async function make(call: readonly Turn<Q, A>[], withinMs: number): Promise<void> {
    try {
      const questions = call.map(({ question }) => question)
      const answers = await askAll(questions, withinMs)
      if (answers.length !== call.length) throw new StoreUnavailable('unreadable reply')
      for (const [i, answer] of answers.entries()) tell(call[i], { answer })
    } catch (error) {
      for (const turn of call) tell(turn, { error })
    }
    if (underWay !== call) return
    // The next call is for those who came meanwhile.
    underWay = undefined
    const next = waiting.splice(0, SHARED_LIMIT)
    const youngest = next.at(-1)
    if (youngest) choose(youngest, next)
  }

  function tell(turn: Turn<Q, A> | undefined, outcome: Outcome<A>): void {
    if (!turn) return
    turn.outcome = outcome
    turn.wake?.()
  }

  /** Waits, and makes the call if it falls to this turn. */
  async function waitFor(turn: Turn<Q, A>): Promise<void> {
    const arrivedAtMs = systemClock.nowMs()
    const leftMs = () => timeoutMs - Math.max(systemClock.nowMs() - arrivedAtMs, 0)
    waiting.push(turn)
    await untilWoken(turn, Math.min(PATIENCE_MS, timeoutMs))
    if (waiting.includes(turn)) choose(turn, waiting.splice(0))
    if (turn.call) await make(turn.call, leftMs())
    else if (!turn.outcome) await untilWoken(turn, leftMs())
  }

  return async (question) => {
    const turn: Turn<Q, A> = { question }
    const isAlone = underWay === undefined && waiting.length === 0
    if (isAlone || waiting.length >= SHARED_LIMIT - 1) {
      const call = [...waiting.splice(0), turn]
      choose(turn, call)
      await make(call, timeoutMs)
    } else {
      await waitFor(turn)
    }
    if (!turn.outcome) throw new StoreUnavailable('timed out')
    if ('error' in turn.outcome) throw turn.outcome.error
    return turn.outcome.answer
  }
}

/** Until there is news for the turn, but not for longer than so many milliseconds. */
async function untilWoken(turn: { wake?: () => void }, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  turn.wake = resolve
  const timer = setTimeout(resolve, ms)
  await promise
  // By the request that set it: a timer is no other's to clear.
  clearTimeout(timer)
}
