/**
 * Breadth-first search through all states that can be reached. States that are equal are one, so all interleavings are
 * covered without being enumerated, and the first violation that is found has a shortest path.
 */
import { hash } from 'node:crypto'
import { brokenByAnswer, brokenByHearing, brokenByState } from './invariants.ts'
import { movesFrom, type Move } from './moves.ts'
import type { Effect, RealStore, Sid } from './real-store.ts'
import { keyOf } from './symmetry.ts'
import { firstWorld, type Setup, type World } from './world.ts'

export interface Exploration {
  readonly states: number
  readonly transitions: number
  /** Steps to the farthest state. */
  readonly depth: number
  /** Every state that can be reached was visited: no limit was hit, and nothing was broken. */
  readonly isExhausted: boolean
  /** What the store has answered, and how many steps it did so in. */
  readonly answers: ReadonlyMap<string, number>
  readonly violation: { readonly promise: string; readonly path: readonly string[] } | undefined
}

/** More would not fit a small machine. */
const STATES_LIMIT = 1_500_000
/** How many states are expanded at once: enough to keep the store busy. */
const BATCH = 2000

interface Node {
  readonly label: string
  readonly parent: Node | undefined
}

interface Reached {
  readonly world: World
  readonly node: Node
}

/** A move from a state, and what the store answers if it is asked. */
interface Step {
  readonly from: Reached
  readonly move: Move
  readonly effect: Effect | undefined
}

export async function explore(store: RealStore, setup: Setup): Promise<Exploration> {
  const sids: Sid[] = ['A', ...setup.callers.flatMap(({ opens }) => opens ?? [])]
  const seen = new Set<string>()
  const answers = new Map<string, number>()
  let transitions = 0
  let depth = 0
  let frontier: Reached[] = [{ world: firstWorld(setup), node: { label: '', parent: undefined } }]

  const result = (isExhausted: boolean, violation?: Exploration['violation']): Exploration => {
    return { states: seen.size, transitions, depth, isExhausted, answers, violation }
  }
  const violated = (promise: string, node: Node) => result(false, { promise, path: pathTo(node) })

  for (; frontier.length > 0; depth++) {
    const next: Reached[] = []
    for (let start = 0; start < frontier.length; start += BATCH) {
      const fresh: Reached[] = []
      for (const step of await stepsFrom(store, frontier.slice(start, start + BATCH), setup)) {
        transitions++
        const reached = take(step)
        const broken = brokenBy(step, reached.world)
        if (broken !== undefined) return violated(broken, reached.node)
        const { answer } = step.effect ?? {}
        if (answer !== undefined) answers.set(answer, (answers.get(answer) ?? 0) + 1)
        const key = hash('sha1', keyOf(reached.world), 'base64')
        if (seen.has(key)) continue
        seen.add(key)
        fresh.push(reached)
      }
      const checks = await checksOf(store, fresh, sids)
      for (const [place, { world, node }] of fresh.entries()) {
        const broken = brokenByState(world, checks[place] ?? new Map())
        if (broken !== undefined) return violated(broken, node)
      }
      next.push(...fresh)
      if (seen.size > STATES_LIMIT) return result(false)
    }
    frontier = next
  }
  return result(true)
}

async function stepsFrom(store: RealStore, batch: readonly Reached[], setup: Setup): Promise<Step[]> {
  const moves = batch.flatMap((from) => movesFrom(from.world, setup).map((move) => ({ from, move })))
  const calls = moves.flatMap(({ from, move }) => ('call' in move ? [[from.world.stored, move.call] as const] : []))
  const effects = (await store.effectsOf(calls)).values()
  return moves.map(({ from, move }) => ({ from, move, effect: 'call' in move ? effects.next().value : undefined }))
}

/** What the live check says of each session, in each state. */
async function checksOf(
  store: RealStore,
  batch: readonly Reached[],
  sids: readonly Sid[],
): Promise<ReadonlyMap<Sid, string>[]> {
  const calls = batch.flatMap(({ world: { stored, nowMs } }) =>
    sids.map((sid) => [stored, { verb: 'check', sid, nowMs }] as const),
  )
  const effects = (await store.effectsOf(calls)).values()
  return batch.map(() => new Map(sids.map((sid) => [sid, effects.next().value?.answer ?? ''])))
}

function take({ from, move, effect }: Step): Reached {
  const parent = from.node
  if (!('call' in move)) return { world: move.world, node: { label: move.label, parent } }
  if (!effect) throw new Error(`no effect of: ${move.label}`)
  return { world: move.next(effect), node: { label: `${move.label}: ${effect.answer}`, parent } }
}

function brokenBy({ from, move, effect }: Step, after: World): string | undefined {
  if ('call' in move) return effect && brokenByAnswer(from.world, move.shown, effect)
  return brokenByHearing(from.world, after)
}

/** A step a line, from the beginning. */
function pathTo(node: Node): string[] {
  const path: string[] = []
  for (let at: Node | undefined = node; at?.parent; at = at.parent) path.push(at.label)
  return path.toReversed()
}

/** For people. */
export function describe({ states, transitions, depth, answers, violation }: Exploration): string {
  const counts = `${states} states, ${transitions} transitions, ${depth} deep`
  const heard = [...answers].map(([answer, count]) => `${answer} ${count}`).join(', ')
  if (!violation) return `${counts}; ${heard}`
  const steps = violation.path.map((label, place) => `  ${place + 1}. ${label}`)
  return [`${violation.promise}; after ${counts}:`, ...steps].join('\n')
}
