/** What is measured is one object for each item, in a list: see `items/`. */
import type { Round } from './measure.ts'
import type { Stage } from './stage.ts'

export interface Item {
  /** Unique, as in `latchkey: refresh`: what is measured, and what it does. */
  readonly name: string
  /** The words by which `--only` chooses it. */
  readonly tags: readonly string[]
  /** How many call at the same time: first alone, then together. 1 and 32 unless said otherwise. */
  readonly callers?: readonly number[]
  /** Starts what it needs, once. `callers` is the most that will call at the same time. */
  prepare(stage: Stage, callers: number): Promise<Prepared>
}

export interface Prepared {
  /**
   * Does one operation as one of the callers, or several in a row, and resolves to how many: 0 when there is nothing left
   * to do it with.
   * @throws when it is not answered as it should be
   */
  readonly run: (caller: number) => Promise<number>
  /** Fills up what `run` uses up, before a round. Not measured. */
  readonly refill?: (round: Round) => Promise<void>
}

export const usualCallers: readonly number[] = [1, 32]
