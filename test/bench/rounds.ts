/** The rounds: every item once in each, one after the other, so that ratios of one round compare like with like. */
import { InstallError } from './install-peers.ts'
import { usualCallers, type Item, type Prepared } from './item.ts'
import { measure } from './measure.ts'
import type { Stage } from './stage.ts'

/** The rates of one item with so many callers, by round; operations a second. */
export interface Row {
  readonly name: string
  readonly callers: number
  /** Whether it is the row of one caller, or that of many. */
  readonly alone: boolean
  readonly rates: readonly number[]
}

export interface RoundsOptions {
  readonly stage: Stage
  readonly items: readonly Item[]
  readonly rounds: number
  /** How long one item is measured in one round. */
  readonly ms: number
  readonly onProgress: (what: string) => void
  /** Is told of an item that fails, and why. It is left out from then on. */
  readonly onFailure: (what: string) => void
  readonly signal: AbortSignal
}

interface Lane {
  readonly name: string
  readonly prepared: Prepared
  readonly callers: number
  readonly rates: number[]
}

/** Warm-up needs no longer than this. */
const mostWarmUpMs = 300

/** The rows of the items that did not fail, in the order of the items. */
export async function measureAll(options: RoundsOptions): Promise<Row[]> {
  const { items, rounds, ms, onProgress } = options
  let lanes = await openLanes(options)
  lanes = await inTurn(lanes, options, async (lane) => {
    onProgress(`warming up: ${lane.name}`)
    await measureLane(lane, Math.min(ms, mostWarmUpMs))
  })
  for (let round = 1; round <= rounds; round++)
    lanes = await inTurn(lanes, options, async (lane) => {
      onProgress(`round ${round} of ${rounds}: ${lane.name}, ${callersText(lane.callers)}`)
      lane.rates.push(await measureLane(lane, ms))
    })
  const places = new Map(items.map(({ name }, place) => [name, place]))
  return lanes
    .map(({ name, callers, rates }) => ({ name, callers, alone: callers === 1, rates }))
    .toSorted((a, b) => (places.get(a.name) ?? 0) - (places.get(b.name) ?? 0))
}

/** First all with one caller, then all with many. */
async function openLanes(options: RoundsOptions): Promise<Lane[]> {
  const lanes: Lane[] = []
  await inTurn(options.items, options, async (item) => {
    options.onProgress(`preparing: ${item.name}`)
    const { name, callers = usualCallers } = item
    const prepared = await item.prepare(options.stage, Math.max(...callers))
    lanes.push(...callers.map((count) => ({ name, prepared, callers: count, rates: [] })))
  })
  return [...lanes.filter(({ callers }) => callers === 1), ...lanes.filter(({ callers }) => callers > 1)]
}

/** Does it with one after the other, and answers with those with which it did not fail. */
export async function inTurn<T extends { readonly name: string }>(
  all: readonly T[],
  { onFailure, signal }: Pick<RoundsOptions, 'onFailure' | 'signal'>,
  act: (one: T) => Promise<void>,
): Promise<T[]> {
  const done: T[] = []
  for (const one of all) {
    signal.throwIfAborted()
    try {
      await act(one)
      done.push(one)
    } catch (error) {
      if (signal.aborted || error instanceof InstallError) throw error
      onFailure(`${one.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return done
}

async function measureLane({ prepared, callers }: Lane, ms: number): Promise<number> {
  const round = { callers, ms }
  await prepared.refill?.(round)
  return measure(prepared, round)
}

const callersText = (callers: number) => (callers === 1 ? 'one caller' : `${callers} callers`)
