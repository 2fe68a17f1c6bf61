/** `npm run accounts`: makes accounts where registration is closed, such as the first administrator's, imports, lists and changes them. */
import { Command, InvalidArgumentError } from 'commander'
import { parseConfig, type Config } from '../src/config.ts'
import { StoreUnavailable } from '../src/failure.ts'
import { createUpstashStore } from '../src/store/upstash.ts'
import { change, create } from './accounts/account.ts'
import { checkImport, importAccounts, type ImportSummary } from './accounts/import.ts'
import { describeList, listAccounts, listJson } from './accounts/list.ts'
import { openReport } from './accounts/report.ts'
import { exitCodes, Refusal } from './answer.ts'
import { describeOutage } from './operator.ts'
import { runProgram } from './program.ts'
import { findTarget, type Target } from './target.ts'

interface ImportFlags {
  readonly refusals?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

interface ListFlags {
  readonly prefix: string
  readonly limit: number
  readonly json?: boolean
}

interface Options {
  readonly roles: string
  readonly json?: boolean
}

const jsonHint = 'print JSON and nothing else on stdout'

function toLimit(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number from 1 to 999999.')
}

interface Presentation<T> {
  readonly json: boolean | undefined
  /** For people. */
  readonly say: (done: T) => string
  /** For programs; as it is unless this says otherwise. */
  readonly show?: (done: T) => unknown
}

/** Does it on the target that the shell names, and prints what came of it. */
async function onTarget<T>(
  work: (config: Config, target: Target) => Promise<T>,
  { json, say, show = (done) => done }: Presentation<T>,
): Promise<T> {
  const target = await findTarget({ shell: process.env })
  if (!json) process.stderr.write(`On ${target.name}; its store is ${target.store}.\n`)
  const config = parseConfig(target.env)
  if (!config.ok) throw new Refusal(`The configuration is not right: ${config.problems.join('; ')}.`)
  const done = await work(config.value, target).catch((error: unknown) => {
    if (!(error instanceof StoreUnavailable)) throw error
    throw new Refusal(describeOutage(target, error), exitCodes.unavailable)
  })
  process.stdout.write(`${json ? JSON.stringify(show(done)) : say(done)}\n`)
  return done
}

/** What a file holds is looked at without any store. */
async function dryRun(file: string, { refusals, json = false }: ImportFlags): Promise<ImportSummary> {
  const report = refusals === undefined ? undefined : await openReport(refusals, 0)
  const done = await checkImport(file, async (refused) => {
    if (report) await report.add([refused])
    else if (!json)
      process.stderr.write(`Line ${refused.line}, ${refused.username ?? 'no username'}: ${refused.reason}\n`)
  })
  await report?.close()
  const said = `${done.imported} accounts could be imported, ${done.refused} lines would be refused. Nothing was written.`
  process.stdout.write(`${json ? JSON.stringify({ ...done, refusals }) : said}\n`)
  return done
}

async function importFile(file: string, flags: ImportFlags): Promise<void> {
  const { refusals = `${file}.refused.ndjson`, json = false } = flags
  const importing = (config: Config, target: Target) =>
    importAccounts({ config, target }, { file, refusals, isSilent: json })
  const say = ({ imported, refused }: ImportSummary) =>
    `Imported ${imported} accounts; ${refused} lines were refused${refused > 0 ? `: see ${refusals}` : ''}.`
  const done = flags.dryRun ? await dryRun(file, flags) : await onTarget(importing, { json, say })
  if (done.refused > 0) process.exitCode = exitCodes.refused
}

const program = new Command('npm run accounts --')
  .description('Makes accounts where registration is closed, imports, lists and changes them.')
  .helpCommand(false)
  .exitOverride()
  .showHelpAfterError('See npm run accounts -- --help.')

program
  .command('create <username>')
  .description('Makes an account. Asks for the password, or reads it from a pipe.')
  .option('--roles <names>', 'roles, with a space between', '')
  .option('--json', jsonHint)
  .addHelpText(
    'after',
    `
Examples:
  npm run accounts -- create ada --roles admin
  pass show ada | npm run --silent accounts -- create ada --json
  npm run accounts -- set-roles ada "admin teller"

It works where npm run keys does: on the local stack, or on the service whose store the shell names.
Exit codes:  0 done   1 refused   2 wrong usage   3 store unavailable`,
  )
  .action(async (name: string, { roles, json }: Options) => {
    await onTarget((config) => create(config, name, roles), {
      json,
      say: (made) => `Made ${made.username}, user id ${made.user_id}${roles && `, with roles ${roles}`}.`,
    })
  })

const changes = [
  ['disable', 'Ends all sessions of an account; nobody signs in to it any more.', 'disabled'],
  ['enable', 'Lets its owner sign in again; unlocks it after too many wrong passwords.', 'active'],
] as const
for (const [name, description, status] of changes)
  program
    .command(`${name} <username>`)
    .description(description)
    .option('--json', jsonHint)
    .action(async (username: string, { json }: Pick<Options, 'json'>) => {
      await onTarget((config) => change(config, username, { status }), {
        json,
        say: (done) => `${done.username} is ${done.status}; ${done.ended_sessions} sessions were ended.`,
      })
    })

program
  .command('set-roles <username> [roles]')
  .description(
    'Sets the roles of an account, with a space between; none to take all away. Its sessions have them at once.',
  )
  .option('--json', jsonHint)
  .action(async (username: string, roles = '', { json }: Pick<Options, 'json'>) => {
    await onTarget((config) => change(config, username, { roles }), {
      json,
      say: (done) => `${done.username} has ${done.roles === '' ? 'no roles' : `the roles ${done.roles}`}.`,
    })
  })

program
  .command('list')
  .description(
    'Lists accounts by username; those whose password hash is still another system’s are marked as imported.',
  )
  .option('--prefix <text>', 'only usernames that begin so', '')
  .option('--limit <number>', 'how many at most', toLimit, 100)
  .option('--json', jsonHint)
  .addHelpText('after', '\nExamples:\n  npm run accounts -- list --prefix a --limit 20')
  .action(async ({ prefix, limit, json }: ListFlags) => {
    await onTarget((config) => listAccounts(createUpstashStore(config), { prefix, limit }), {
      json,
      say: describeList,
      show: listJson,
    })
  })

program
  .command('import <file>')
  .description('Takes over accounts of another system, with their password hashes: one JSON object a line.')
  .option('--dry-run', 'check the file, and write nothing to the store')
  .option('--refusals <file>', 'where refused lines are named, with the reason (default: FILE.refused.ndjson)')
  .option('--json', jsonHint)
  .addHelpText(
    'after',
    `
A line:
  {"username":"ada","password_hash":"$2b$12$...","roles":["teller"],"status":"active","created_at":"2021-03-04T05:06:07Z"}
Username and password_hash are needed. Hashes of argon2, bcrypt, scrypt and PBKDF2 are taken; README says which.

Examples:
  npm run accounts -- import users.ndjson --dry-run
  npm run accounts -- import users.ndjson --refusals refused.ndjson

How far it has come stands in FILE.progress. Ended by Ctrl-C, an outage or in any other way, the same command goes on.
Exit codes:  0 done   1 refused, or at least one line was   2 wrong usage   3 store unavailable`,
  )
  .action(importFile)

await runProgram(program)
