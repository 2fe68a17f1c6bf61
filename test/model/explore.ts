/**
 * Breadth-first search through all states that can be reached. States that are equal are one, so all interleavings are
 * covered without being enumerated, and the first violation that is found has a shortest path.
 */
import { brokenByAnswer, brokenByRefusal, brokenByState } from './invariants.ts'
import { movesFrom, type Move } from './moves.ts'
import type { RealStore, Sid, Stored, StoreCall } from './real-store.ts'
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
const STATES_LIMIT = 400_000
/** How many states are expanded at once: enough to keep the store busy. */
const BATCH = 2000

interface Node {
  readonly world: World
  readonly label: string
  readonly parent: Node | undefined
}

export async function explore(store: RealStore, setup: Setup): Promise<Exploration> {
  const sids: Sid[] = ['A', ...setup.callers.flatMap(({ opens }) => opens ?? [])]
  const seen = new Set<string>()
  const answers = new Map<string, number>()
  let transitions = 0
  let depth = 0
  const root: Node = { world: firstWorld(setup), label: '', parent: undefined }
  let frontier = [root]
  seen.add(JSON.stringify(root.world))

  const result = (isExhausted: boolean, violation?: Exploration['violation']): Exploration => {
    return { states: seen.size, transitions, depth, isExhausted, answers, violation }
  }
  const violated = (promise: string, node: Node) => result(false, { promise, path: pathTo(node) })

  for (; frontier.length > 0; depth++) {
    const reached: Node[] = []
    for (let start = 0; start < frontier.length; start += BATCH) {
      const batch = frontier.slice(start, start + BATCH)
      const expanded = batch.map((parent) => ({ parent, moves: movesFrom(parent.world, setup) }))
      await store.learn(expanded.flatMap(({ parent, moves }) => callsOf(parent.world, moves)))
      const fresh: Node[] = []
      for (const { parent, moves } of expanded)
        for (const move of moves) {
          transitions++
          const step = take(store, parent, move)
          if (step.answer !== undefined) answers.set(step.answer, (answers.get(step.answer) ?? 0) + 1)
          if (step.broken !== undefined) return violated(step.broken, step.node)
          const key = JSON.stringify(step.node.world)
          if (seen.has(key)) continue
          seen.add(key)
          fresh.push(step.node)
        }
      await store.learn(fresh.flatMap(({ world }) => sids.map((sid) => [world.stored, checkOf(world, sid)] as const)))
      for (const node of fresh) {
        const { world } = node
        const checked = new Map(sids.map((sid) => [sid, store.effectOf(world.stored, checkOf(world, sid)).answer]))
        const broken = brokenByState(world, checked)
        if (broken !== undefined) return violated(broken, node)
        reached.push(node)
      }
      if (seen.size > STATES_LIMIT) return result(false)
    }
    frontier = reached
  }
  return result(true)
}

function callsOf({ stored }: World, moves: readonly Move[]): (readonly [Stored, StoreCall])[] {
  return moves.flatMap((move) => ('call' in move ? [[stored, move.call] as const] : []))
}

function checkOf({ nowMs }: World, sid: Sid): StoreCall {
  return { verb: 'check', sid, nowMs }
}

interface Step {
  readonly node: Node
  readonly answer: string | undefined
  readonly broken: string | undefined
}

function take(store: RealStore, parent: Node, move: Move): Step {
  const before = parent.world
  if (!('call' in move)) {
    const { world, label } = move
    return { node: { world, label, parent }, answer: undefined, broken: brokenByRefusal(before, move, world) }
  }
  const effect = store.effectOf(before.stored, move.call)
  const { answer } = effect
  const node = { world: move.next(effect), label: `${move.label}: ${answer}`, parent }
  return { node, answer, broken: brokenByAnswer(before, move.shown, effect) }
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
