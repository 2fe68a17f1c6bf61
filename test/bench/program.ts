/** `npm run bench`: how fast, how cheap, against whom. */
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { runBench } from './bench.ts'
import { words } from './items/all.ts'
import { findRevision, RevisionError } from './revision.ts'

interface Options {
  readonly quick: boolean
  readonly only?: string
  readonly rounds?: number
  readonly ms?: number
  readonly against?: string
}

const exitCodes = { failed: 1, usage: 2, interrupted: 130 }

function whole(least: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (!Number.isInteger(number) || number < least)
      throw new InvalidArgumentError(`It must be a whole number, and ${least} at least.`)
    return number
  }
}

function known(text: string): string {
  const unknown = text.split(',').filter((word) => !words.includes(word))
  if (unknown.length > 0)
    throw new InvalidArgumentError(`There is no ${unknown.join(', ')}. There are ${words.join(', ')}.`)
  return text
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    // Whoever asks twice will not wait: what was started ends with this process.
    if (stopping.signal.aborted) process.exit(exitCodes.interrupted)
    process.exitCode = exitCodes.interrupted
    stopping.abort(new Error('interrupted'))
  })

const program = new Command('npm run bench --')
  .description('Measures Latchkey, what its parts can do, and the alternatives, all in one run on this machine.')
  .exitOverride()
  .showHelpAfterError('See npm run bench -- --help.')
  .option('--quick', 'about two minutes: fewer and shorter rounds, up to 100,000 sessions', false)
  .option('--only <words>', `a part of it, as in verify,limits: ${words.join(', ')}`, known)
  .option('--rounds <number>', 'how many rounds', whole(1))
  .option('--ms <number>', 'how long an item is measured in a round', whole(10))
  .option(
    '--against <revision>',
    'another commit of this repository, built with the packages that are installed here and measured in the same rounds, logouts left out',
  )
  .addHelpText(
    'after',
    `
Examples:
  npm run bench -- --quick
  npm run bench -- --only verify,limits --rounds 3
  npm run bench -- --only refresh,verify --against HEAD~3

Without --only it writes test/bench/RESULTS.md, too. The alternatives are installed from the npm registry into
.latchkey/bench-peers when they are first measured; limits, latchkey, verifier and fleet do without them.
Exit codes:  0 all measured   1 something failed and was left out   2 wrong usage   130 interrupted`,
  )
  .action(async ({ only, against, ...options }: Options) => {
    await runBench({
      ...options,
      ...(only && { only: only.split(',') }),
      ...(against !== undefined && { against: await findRevision(against) }),
      signal: stopping.signal,
    })
  })

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage
  if (!(error instanceof CommanderError) && !stopping.signal.aborted) {
    process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = error instanceof RevisionError ? exitCodes.usage : exitCodes.failed
  }
}
