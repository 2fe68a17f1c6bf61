/** `npm run keys -- COMMAND`: the operator's tool for the secret and the signing keys. */
import { Command, InvalidArgumentError } from 'commander'
import { StoreUnavailable } from '../src/failure.ts'
import { projectRoot } from '../src/local/project.ts'
import { exitCodes, Refusal, type Answer } from './answer.ts'
import { doctor } from './commands/doctor.ts'
import { exportKeys } from './commands/export.ts'
import { init } from './commands/init.ts'
import { list } from './commands/list.ts'
import { reseal } from './commands/reseal.ts'
import { rotate } from './commands/rotate.ts'
import { withdraw } from './commands/withdraw.ts'
import { createConsent, type Consent } from './consent.ts'
import { createOperator, describeOutage, type Operator } from './operator.ts'
import { runProgram } from './program.ts'
import { findTarget, type Target } from './target.ts'

interface Options {
  readonly json?: boolean
  readonly yes?: boolean
  readonly port?: number
}

const afterAll = `
It works on the local stack that is running, or, when the shell names a store, on a deployed service:

  UPSTASH_REDIS_REST_TOKEN     the store's token; its URL is that of wrangler.toml, or UPSTASH_REDIS_REST_URL
  LATCHKEY_SECRET              the secret of the service
  LATCHKEY_SECRET_PREVIOUS     while the secret is being rotated: the one before
  any variable of wrangler.toml counts before that file

Exit codes:  0 done   1 refused, or a problem found   2 wrong usage   3 store unavailable`

const program = new Command('npm run keys --')
  .description('Looks after the secret and the signing keys of Latchkey.')
  .helpCommand(false)
  .exitOverride()
  .showHelpAfterError('See npm run keys -- --help.')
  .addHelpText('after', afterAll)

/** A command with the options that all have, and examples in its help. */
function add(usage: string, description: string, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  npm run ${example}`).join('\n')
  return program
    .command(usage)
    .description(description)
    .option('--json', 'print JSON and nothing else on stdout')
    .option('--yes', 'do what needs a yes without asking')
    .addHelpText('after', `\nExamples:\n${lines}\n${afterAll}`)
}

function addForTarget(usage: string, description: string, examples: readonly string[]): Command {
  return add(usage, description, examples).option('--port <port>', 'of which local stack, if several run', parsePort)
}

add('init', 'Makes a fresh LATCHKEY_SECRET, in .dev.vars or printed.', [
  'keys -- init',
  '--silent keys -- init --print',
  '--silent keys -- init --print | tee /dev/stderr | npx wrangler secret put LATCHKEY_SECRET',
])
  .option('--print', 'print it, once, and keep it nowhere: for wrangler secret put')
  .action(async ({ print = false, ...options }: Options & { print?: boolean }) =>
    tell(await init({ folder: projectRoot, print }, createConsent(options)), options),
  )

addForTarget('list', 'Lists the signing keys with their states and times.', [
  'keys -- list',
  '--silent keys -- list --json | jq ".keys[].kid"',
]).action((options: Options) => work(options, list))

addForTarget('rotate', 'Lets the standby sign as soon as verifiers know it, and adds another.', [
  'keys -- rotate',
  'keys -- rotate --yes',
]).action((options: Options) => work(options, rotate))

// A kid may begin with a hyphen, and with -h.
addForTarget('withdraw <kid>', 'Takes a compromised key out of use at once. A beginning of its kid is enough.', [
  'keys -- withdraw 8Xq2',
  'keys -- withdraw 8Xq2 --yes --json',
])
  .allowUnknownOption()
  .helpOption('--help', 'display help for command')
  .action((kid: string, options: Options) => work(options, (operator, consent) => withdraw(operator, consent, kid)))

addForTarget('reseal', 'Seals all keys under the current secret, so that the previous one can go.', [
  'keys -- reseal',
]).action((options: Options) => work(options, reseal))

addForTarget('export', 'Prints the public keys as a JWK Set.', ['--silent keys -- export > jwks.json']).action(
  (options: Options) => work(options, exportKeys),
)

addForTarget('doctor', 'Checks configuration, store, clock, secret and ring, and says what to do.', [
  'keys -- doctor',
  '--silent keys -- doctor --json',
]).action(async (options: Options) => {
  const target = await chooseTarget(options)
  tell(await doctor(target), options)
})

/** Runs a command that needs the store. */
async function work(
  options: Options,
  command: (operator: Operator, consent: Consent) => Promise<Answer>,
): Promise<void> {
  const target = await chooseTarget(options)
  const operator = await createOperator(target)
  if (!operator.ok) throw new Refusal(`The configuration is not right: ${operator.problems.join('; ')}.`)
  try {
    tell(await command(operator.value, createConsent(options)), options)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    throw new Refusal(describeOutage(target, error), exitCodes.unavailable)
  }
}

/** Says what it works on, on stderr: `export` and `--json` need stdout for themselves. */
async function chooseTarget({ port, json }: Options): Promise<Target> {
  const target = await findTarget({ shell: process.env, port })
  if (!json) process.stderr.write(`On ${target.name}; its store is ${target.store}.\n`)
  return target
}

function tell({ text, json, exitCode = exitCodes.done }: Answer, options: Options): void {
  process.stdout.write(`${options.json ? JSON.stringify(json, undefined, 2) : text}\n`)
  process.exitCode = exitCode
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('It must be 1 to 65535.')
  return port
}

await runProgram(program)
