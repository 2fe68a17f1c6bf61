/** What a rule says about a history. */
import type { Operation } from '../history.ts'
import type { Fault } from './timeline.ts'

export type Rule =
  | 'two-sessions'
  | 'accepted-after-end'
  | 'accepted-after-denial'
  | 'old-generation-accepted'
  | 'false-logout'
  | 'good-token-refused'
  | 'yes-without-store'
  | 'never-issued'
  | 'bad-5xx'
  | 'unexpected-answer'
  | 'too-late'
  | 'unexplained-interruption'
  | 'not-cured-by-one-retry'

/** A rule that was broken, or, if `lostBy` names a failover, a write that was acknowledged and lost by it. */
export interface Finding {
  readonly rule: Rule
  /** One sentence. */
  readonly what: string
  readonly user: string
  readonly sid?: string | undefined
  /** The operations that cannot all be right, in their order. */
  readonly operations: readonly Operation[]
  readonly lostBy?: Fault | undefined
}

export function finding(
  rule: Rule,
  what: string,
  operations: readonly Operation[],
  more: { readonly sid?: string | undefined; readonly lostBy?: Fault | undefined } = {},
): Finding {
  const inOrder = operations.toSorted((a, b) => a.startMs - b.startMs)
  return { rule, what, user: inOrder[0]?.user ?? '', operations: [...new Set(inOrder)], ...more }
}
