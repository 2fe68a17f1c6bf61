/** Tabs with the same errands are interchangeable, and so are their attempts: scripts only compare them. */
import type { Caller, World } from './world.ts'

/**
 * The same for states that differ only in which of several equal tabs is which. (It may still differ for such, if the
 * tabs do not differ by themselves: then both states are visited.)
 */
export function keyOf(world: World): string {
  const places = world.callers.map((caller, place) => ({
    caller,
    place,
    kind: kindOf(caller),
    state: stateOf(caller, world),
  }))
  const sorted = places.toSorted((a, b) => compare(a.kind, b.kind) || compare(a.state, b.state) || a.place - b.place)
  const renamed = new Map(sorted.map(({ caller: { attempts } }, place) => [attempts, place]))
  // What is left out never changes, and follows from the place.
  const callers = sorted.map(({ caller: { begun, phase, token, beganMs, answer, late } }) => {
    return [begun, phase, token, beganMs, answer, late]
  })
  return JSON.stringify({ ...world, callers }).replaceAll(/@\d/g, (attempts) => `@${renamed.get(attempts) ?? ''}`)
}

function kindOf({ jar, errands, opens }: Caller): string {
  return [jar, opens, ...errands].join()
}

function stateOf({ begun, phase, token, beganMs, answer, attempts }: Caller, { stored }: World): string {
  return [begun, phase, token?.sid, token?.generation, beganMs, answer, stored.record?.includes(attempts)].join()
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
