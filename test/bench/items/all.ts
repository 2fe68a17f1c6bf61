/** Everything that is measured, in the order of the tables. */
import type { Item } from '../item.ts'
import { fleet, latchkey } from './latchkey.ts'
import { limits } from './limits.ts'
import { peers } from './peers.ts'
import { verifier } from './verifier.ts'

export const items: readonly Item[] = [...limits, ...latchkey, ...verifier, ...fleet, ...peers]

/** What `--only` may say. */
export const words: readonly string[] = [...new Set(items.flatMap(({ tags }) => tags))]

/** Those with one of the tags; all of them when none is asked for. */
export function chooseItems(only?: readonly string[]): readonly Item[] {
  return only ? items.filter(({ tags }) => tags.some((tag) => only.includes(tag))) : items
}
