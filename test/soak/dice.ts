/** Chance that is the same again for the same seed (mulberry32). */
export interface Dice {
  /** 0 to 1. */
  next(): number
  between(least: number, most: number): number
  whole(below: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly [T, ...T[]]): T
  shuffled<T>(list: readonly T[]): T[]
}

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (below: number) => Math.floor(next() * below)
  return {
    next,
    whole,
    between: (least, most) => least + next() * (most - least),
    chance: (probability) => next() < probability,
    pick: (from) => from[whole(from.length)] ?? from[0],
    shuffled(list) {
      const keyed = list.map((value) => ({ value, key: next() }))
      return keyed.toSorted((a, b) => a.key - b.key).map(({ value }) => value)
    },
  }
}
