/** Everything that is measured, in the order of the tables. */
import type { Item } from '../item.ts'
import { fleet, latchkey } from './latchkey.ts'
import { limits } from './limits.ts'
import { peers } from './peers.ts'
import { verifier } from './verifier.ts'

export const items: readonly Item[] = [...limits, ...latchkey, ...verifier, ...fleet, ...peers]

/** What is not a rate. */
const others = ['cost', 'profile', 'worker', 'growth']

/** Words of {@link words}. */
export type Choice = readonly string[]

/** What `--only` may say. */
export const words: readonly string[] = [...new Set([...items.flatMap(({ tags }) => tags), ...others])]

/** Those with one of the tags; all of them when nothing is chosen. */
export function chooseItems(only?: Choice, all: readonly Item[] = items): readonly Item[] {
  return only ? all.filter(({ tags }) => tags.some((tag) => only.includes(tag))) : all
}
