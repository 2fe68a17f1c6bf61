/** One run of the benchmark. */
import { costOf, measureOperations, measureSessions, type OperationCost } from './cost.ts'
import { growthSizes, measureGrowth } from './growth.ts'
import { installPeers } from './install-peers.ts'
import { chooseItems, type Choice } from './items/all.ts'
import { plotGrowth } from './plot.ts'
import { computePrices } from './price.ts'
import { itemsAt } from './items/latchkey.ts'
import { measureProfiles } from './profile.ts'
import { createProgress } from './progress.ts'
import { tablesOf, writeResults, type Results } from './report.ts'
import type { Revision } from './revision.ts'
import { measureAll, type RoundsOptions } from './rounds.ts'
import { createStage, type Stage } from './stage.ts'
import { toScreen } from './tables.ts'
import { measureWorker } from './worker-cost.ts'

export interface BenchOptions {
  readonly quick: boolean
  readonly rounds?: number
  readonly ms?: number
  /** What to measure; everything, and then it is written down, when nothing is chosen. */
  readonly only?: Choice
  /** Another commit to compare this one with. */
  readonly against?: Revision
  readonly signal: AbortSignal
}

/** Many short rounds rather than a few long ones: what else the machine does meanwhile touches fewer ratios. */
const pace = { full: { rounds: 15, ms: 300 }, quick: { rounds: 3, ms: 150 } }

/** A difference that is not there needs more of them than one that is. */
const growthRounds = 5

export async function runBench({ quick, only, against, signal, ...chosen }: BenchOptions): Promise<void> {
  const beginMs = performance.now()
  const progress = createProgress(process.stderr)
  const stage = createStage(progress.say, signal)
  const { rounds, ms } = { ...(quick ? pace.quick : pace.full), ...chosen }
  const failures: string[] = []
  const onFailure = (what: string) => {
    if (failures.includes(what)) return
    failures.push(what)
    progress.say(`Left out, since it failed: ${what}`)
  }
  const options = { stage, rounds, ms, signal, onProgress: progress.show, onFailure }
  const has = (word: string) => only === undefined || only.includes(word)
  /** What was measured before is not lost when a part fails. */
  async function part<T>(word: string, measurePart: () => Promise<T>): Promise<T | undefined> {
    if (!has(word)) return undefined
    try {
      return await measurePart()
    } catch (error) {
      if (signal.aborted) throw error
      onFailure(`${word}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
  try {
    const cost = has('cost') ? await measureCost(options) : undefined
    const items = [...chooseItems(only), ...(against ? chooseItems(only, itemsAt(against)) : [])]
    const rows = items.length > 0 ? await measureAll({ ...options, items }) : []
    const profiles = await part('profile', () => measureProfiles(options))
    const worker = await part('worker', () => measureWorker(options))
    const sizes = quick ? growthSizes.quick : growthSizes.full
    const growth = await part('growth', () =>
      measureGrowth(sizes, { ...options, rounds: Math.max(rounds, growthRounds) }),
    )
    const results: Results = {
      rows,
      ...(against && { against }),
      ...cost,
      ...(profiles && { profiles }),
      ...(worker && { worker }),
      ...(growth && { growth }),
    }
    progress.show('')
    process.stdout.write(`${tablesOf(results).map(toScreen).join('\n')}\n`)
    if (failures.length > 0) process.exitCode = 1
    if (only !== undefined) return
    await installPeers(progress.say, signal)
    const minutes = (performance.now() - beginMs) / 60_000
    const circumstances = { quick, rounds, ms, minutes, failures, redisVersion: await redisVersionOf(stage) }
    await writeResults(results, circumstances, growth && (await plotGrowth(growth)))
    progress.say('Written to test/bench/RESULTS.md.')
  } finally {
    await stage.stop()
  }
}

/** First of all, since what runs beside it would be counted, too. */
async function measureCost(options: Omit<RoundsOptions, 'items'>) {
  const { stage } = options
  const costed = chooseItems(['latchkey', 'peers'])
  const operations: OperationCost[] = await measureOperations({ ...options, items: costed })
  const { operator } = await stage.latchkey()
  const readFeed = async () => {
    await operator.readFeed()
    return 1
  }
  operations.push(await costOf('latchkey: reading the feed', { run: readFeed }, (await stage.store()).direct))
  const refreshing = costed.filter(({ name }) => name.endsWith(': refresh'))
  const sessions = await measureSessions({ ...options, items: refreshing })
  return { operations, sessions, prices: computePrices(operations, sessions) }
}

async function redisVersionOf(stage: Stage): Promise<string> {
  const { direct } = await stage.store()
  return /^redis_version:(\S+)/m.exec(await direct.info('server'))?.[1] ?? 'unknown'
}
