/** One run of the benchmark. */
import type { Item } from './item.ts'
import { createProgress } from './progress.ts'
import { measureAll } from './rounds.ts'
import { createStage } from './stage.ts'
import { ratesTable, ratiosTable, toScreen } from './tables.ts'

export interface BenchOptions {
  readonly quick: boolean
  readonly rounds?: number
  readonly ms?: number
  readonly items: readonly Item[]
  readonly signal: AbortSignal
}

const pace = { full: { rounds: 7, ms: 700 }, quick: { rounds: 3, ms: 200 } }

export async function runBench({ quick, items, signal, ...chosen }: BenchOptions): Promise<void> {
  const progress = createProgress(process.stderr)
  const stage = createStage(progress.say, signal)
  const { rounds, ms } = { ...(quick ? pace.quick : pace.full), ...chosen }
  try {
    const rows = await measureAll({ stage, items, rounds, ms, onProgress: progress.show, signal })
    progress.say('')
    for (const table of [ratesTable(rows), ratiosTable(rows)]) process.stdout.write(`${toScreen(table)}\n`)
  } finally {
    await stage.stop()
  }
}
