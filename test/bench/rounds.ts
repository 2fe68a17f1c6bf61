/** The rounds: every item once in each, one after the other, so that ratios of one round compare like with like. */
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
  readonly signal: AbortSignal
}

interface Lane {
  readonly item: Item
  readonly prepared: Prepared
  readonly callers: number
  readonly rates: number[]
}

export async function measureAll(options: RoundsOptions): Promise<Row[]> {
  const { items, rounds, ms, onProgress } = options
  const prepared = await prepareAll(options)
  const lanes = [0, 1].flatMap((place) =>
    prepared.flatMap(([item, each]): Lane[] => {
      const callers = (item.callers ?? usualCallers)[place]
      return callers === undefined ? [] : [{ item, prepared: each, callers, rates: [] }]
    }),
  )
  for (const lane of lanes) {
    onProgress(`warming up: ${lane.item.name}`)
    await measureLane(lane, Math.min(ms, 300), options.signal)
  }
  for (let round = 1; round <= rounds; round++)
    for (const lane of lanes) {
      onProgress(`round ${round} of ${rounds}: ${lane.item.name}, ${callersText(lane.callers)}`)
      lane.rates.push(await measureLane(lane, ms, options.signal))
    }
  return lanes
    .map(({ item: { name }, callers, rates }) => ({ name, callers, alone: callers === 1, rates }))
    .toSorted((a, b) => orderOf(items, a) - orderOf(items, b))
}

async function prepareAll({ stage, items, onProgress, signal }: RoundsOptions): Promise<[Item, Prepared][]> {
  const prepared: [Item, Prepared][] = []
  for (const item of items) {
    signal.throwIfAborted()
    onProgress(`preparing: ${item.name}`)
    prepared.push([item, await item.prepare(stage, Math.max(...(item.callers ?? usualCallers)))])
  }
  return prepared
}

async function measureLane({ item, prepared, callers }: Lane, ms: number, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted()
  try {
    const round = { callers, ms }
    await prepared.refill?.(round)
    return await measure(prepared, round)
  } catch (error) {
    throw new Error(
      `${item.name}, ${callersText(callers)}: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
      },
    )
  }
}

const callersText = (callers: number) => (callers === 1 ? 'one caller' : `${callers} callers`)
const orderOf = (items: readonly Item[], { name }: Row) => items.findIndex((item) => item.name === name)
