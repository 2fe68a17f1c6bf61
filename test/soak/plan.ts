/** Which faults come when: the same again for the same seed. */
import { createDice, type Dice } from './dice.ts'
import { plannedKinds, type FaultKind } from './history.ts'

export interface PlannedFault {
  readonly kind: FaultKind
  readonly atMs: number
  /** 0 for what is done at once. */
  readonly forMs: number
  /** Which of the servers, or of the Redis servers, or of the quiet users: counted from 0, and round again. */
  readonly target: number
  /** By how much a clock is moved. */
  readonly amountMs?: number
}

/** Faults of one track follow one another; tracks overlap. */
export type Track = readonly PlannedFault[]

export interface PlanOptions {
  readonly seed: number
  /** From when to when. All faults are over a while before the end, so that what they did can be seen. */
  readonly fromMs: number
  readonly untilMs: number
}

type Range = readonly [number, number]

interface Habit {
  readonly kinds: Readonly<Partial<Record<FaultKind, Range>>>
  /** Between the end of one and the beginning of the next. */
  readonly gapMs: Range
}

/** The replay window is ten seconds, so servers six seconds apart must not matter. */
const CLOCK_MS = 3000

const habits: readonly Habit[] = [
  // The way to the store: one thing at a time. A store call waits for 800 ms.
  {
    kinds: {
      'bridge-hung': [900, 3000],
      'replies-lost': [900, 3000],
      'replies-delayed': [2000, 5000],
      'connections-refused': [900, 3000],
    },
    gapMs: [4000, 9000],
  },
  // Who is killed catches up with the others before the next one is.
  { kinds: { 'primary-killed': [4000, 8000], 'redis-restarted': [0, 0] }, gapMs: [12_000, 20_000] },
  { kinds: { 'server-killed': [1000, 4000] }, gapMs: [3000, 7000] },
  // A second one now and then, so that two are down at once.
  { kinds: { 'server-killed': [1000, 4000] }, gapMs: [14_000, 30_000] },
  { kinds: { 'clock-off': [4000, 14_000] }, gapMs: [2000, 6000] },
  { kinds: { 'clock-off': [4000, 14_000] }, gapMs: [2000, 6000] },
  { kinds: { 'keys-rotated': [0, 0] }, gapMs: [12_000, 20_000] },
  { kinds: { 'record-restored': [0, 0], 'record-lost': [0, 0] }, gapMs: [5000, 10_000] },
]

export function planFaults({ seed, fromMs, untilMs }: PlanOptions): readonly Track[] {
  const dice = createDice(seed)
  return habits.map(({ kinds, gapMs }) => {
    const track: PlannedFault[] = []
    let nowMs = fromMs + dice.between(0, gapMs[0])
    while (nowMs < untilMs)
      for (const [kind, range] of shuffledKinds(kinds, dice)) {
        const forMs = Math.round(dice.between(...range))
        if (nowMs + forMs > untilMs) return track
        const amountMs = kind === 'clock-off' ? { amountMs: Math.round(dice.between(-CLOCK_MS, CLOCK_MS)) } : {}
        track.push({ kind, atMs: Math.round(nowMs), forMs, target: dice.whole(60), ...amountMs })
        nowMs += forMs + dice.between(...gapMs)
      }
    return track
  })
}

function shuffledKinds(kinds: Habit['kinds'], dice: Dice): (readonly [FaultKind, Range])[] {
  const listed: (readonly [FaultKind, Range])[] = []
  for (const kind of plannedKinds) {
    const range = kinds[kind]
    if (range) listed.push([kind, range])
  }
  return dice.shuffled(listed)
}

/** The plan as lines, in the order of time. */
export function describePlan(plan: readonly Track[]): string[] {
  return plan
    .flat()
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ kind, atMs, forMs, amountMs }) => {
      const lasts = forMs > 0 ? ` for ${(forMs / 1000).toFixed(1)} s` : ''
      const by = amountMs === undefined ? '' : ` by ${(amountMs / 1000).toFixed(1)} s`
      return `${(atMs / 1000).toFixed(1).padStart(7)} s  ${kind}${by}${lasts}`
    })
}
