/** `npm run soak`: a soak by hand, or a saved history checked once more. */
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { BalancerKind } from '../../src/local/fleet/balancer.ts'
import { buildWorker } from '../../src/local/worker-bundle.ts'
import { check } from './checker/check.ts'
import { parseHistory, writeLine, type History } from './history.ts'
import { describeReport } from './report-text.ts'
import { runSoak } from './soak.ts'

interface Options {
  readonly minutes: number
  readonly seed: number
  readonly users: number
  readonly balancer: BalancerKind
  readonly history?: string
}

const exitCodes = { violations: 1, usage: 2 }

function atLeast(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (!(number >= least)) throw new InvalidArgumentError(`It must be a number, and ${least} at least.`)
    return number
  }
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

function judge(history: History): void {
  const report = check(history)
  say(describeReport(report))
  if (report.violations.length > 0) process.exitCode = exitCodes.violations
}

async function readHistory(file: string): Promise<History> {
  try {
    return parseHistory(await readFile(file, 'utf8'))
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'a line is not as it should be'
    return program.error(`error: ${file} cannot be read as a history: ${why}.`, { exitCode: exitCodes.usage })
  }
}

const program = new Command('npm run soak --')
  .description('Uses a fleet of five servers while everything goes wrong, and checks that nobody noticed.')
  .helpCommand(false)
  .exitOverride()
  .showHelpAfterError('See npm run soak -- --help.')
  .option('--minutes <number>', 'how long', atLeast(1), 2)
  .option('--seed <number>', 'which faults and users: the same again for the same seed', atLeast(0), 1)
  .option('--users <number>', 'how many users', atLeast(20), 200)
  .addOption(
    new Option('--balancer <kind>', 'what spreads the requests').choices(['haproxy', 'nginx']).default('haproxy'),
  )
  .option('--history <file>', 'where to write the history')
  .addHelpText(
    'after',
    `
Examples:
  npm run soak -- --minutes 30 --seed 7 --history soak.ndjson
  npm run soak -- check soak.ndjson

It prints the plan of faults, a line every ten seconds and a report. The history has a line of JSON for each request, each
fault and what the servers logged.
Exit codes:  0 no violation   1 violations   2 wrong usage`,
  )
  .action(async ({ minutes, seed, users, balancer, history: file }: Options) => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-soak-'))
    const saved = file === undefined ? undefined : createWriteStream(file)
    try {
      say('Building the Worker…')
      const bundle = await buildWorker(join(folder, 'worker'), ['test/workerd/clock-worker.ts'])
      const place = { bundle, folder: join(folder, 'fleet') }
      const onLine = saved && { onLine: (line: History[number]) => void saved.write(writeLine(line)) }
      judge(await runSoak({ minutes, seed, users, balancer, onProgress: say, ...place, ...onLine }))
    } finally {
      saved?.end()
      await rm(folder, { recursive: true, force: true })
    }
  })

program
  .command('check <file>')
  .description('Checks a history that was written before.')
  .action(async (file: string) => judge(await readHistory(file)))

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage
}
