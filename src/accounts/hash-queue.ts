/**
 * One password hash at a time in an isolate. Each fills 19 MiB, and the wasm build blocks its isolate while it lasts.
 *
 * A waiting request asks again by a timer of its own. The queues of libraries hand the turn over by resolving a promise
 * of another request, or run its work themselves; workerd binds timers and I/O to the request that made them, so there
 * a finished request would take its successor's work down with it.
 */
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { pause } from '../pause.ts'

export type Overloaded = Extract<Failure, { reason: 'overloaded' }>

/** Sixteen waiting are about a second's work; more are told to come back. */
const WAITING_LIMIT = 16
/** How often a waiting request asks: a small part of the 60 ms that one hash takes. */
const ASK_AGAIN_MS = 5
/** A thousand times 5 ms: nobody waits longer than about five seconds. */
const ASK_LIMIT = 1000

export interface HashQueue {
  /** Does the work when its turn comes, or says that there are too many before it. */
  inTurn<T>(work: () => Promise<T> | T): Promise<Result<T, Overloaded>>
}

export function createHashQueue(): HashQueue {
  let waiting = 0
  let busy = false

  async function turn(): Promise<boolean> {
    for (let asked = 0; asked < ASK_LIMIT; asked++) {
      if (!busy) {
        busy = true
        return true
      }
      await pause(ASK_AGAIN_MS)
    }
    return false
  }

  return {
    async inTurn(work) {
      if (waiting >= WAITING_LIMIT) return failed({ reason: 'overloaded' })
      waiting++
      const admitted = await turn()
      waiting--
      if (!admitted) return failed({ reason: 'overloaded' })
      try {
        // Between two hashes every other request of the isolate has its turn.
        await pause(0)
        return ok(await work())
      } finally {
        busy = false
      }
    },
  }
}
