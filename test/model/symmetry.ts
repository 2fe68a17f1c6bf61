/** Tabs with the same errands are interchangeable, and so are their attempts: scripts only compare them. */
import type { Stored } from './real-store.ts'
import type { Caller, World } from './world.ts'

/**
 * The same for states that differ only in which of several equal tabs is which. (It may still differ for such, if the
 * tabs do not differ by themselves: then both states are visited.)
 */
export function keyOf(world: World): string {
  const { stored } = world
  const places = world.callers.map((caller, place) => ({ caller, place, state: stateOf(caller, stored) }))
  const sorted = places.toSorted(
    (a, b) => compare(a.caller.kind, b.caller.kind) || compare(a.state, b.state) || a.place - b.place,
  )
  const renamed = new Map(sorted.map(({ caller: { attempts } }, place) => [attempts, place]))
  // What is left out never changes, and follows from the place.
  const callers = sorted.map(({ caller: { begun, phase, token, beganMs, answer, late } }) => {
    return [begun, phase, token, beganMs, answer, late]
  })
  // The record as it is: a third of the text, and slow to quote.
  const key = JSON.stringify({ ...world, stored: { ...stored, record: null }, callers }) + stored.record
  return key.replaceAll(/@\d/g, (attempts) => `@${renamed.get(attempts) ?? ''}`)
}

function stateOf({ begun, phase, token, beganMs, answer, attempts }: Caller, { record }: Stored): string {
  return [begun, phase, token?.sid, token?.generation, beganMs, answer, record?.includes(attempts)].join()
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
