/** `npm run accounts`: makes accounts where registration is closed, such as the first administrator's, imports and changes them. */
import password from '@inquirer/password'
import { Command } from 'commander'
import { createHasher } from '../src/accounts/hasher.ts'
import { canonicalUsername, checkUsername } from '../src/accounts/credentials.ts'
import { createPasswordPolicy } from '../src/accounts/password-policy.ts'
import { parseConfig, type Config } from '../src/config.ts'
import { StoreUnavailable, toWire, type Failure, type Result } from '../src/failure.ts'
import { argon2Native } from '../src/local/argon2-native.ts'
import { makeCommonPasswords } from '../src/local/common-passwords.ts'
import { mintUserId } from '../src/store/keys.ts'
import { isRoles } from '../src/store/schema.ts'
import type { AccountChange } from '../src/store/administration.ts'
import { createUpstashStore } from '../src/store/upstash.ts'
import { systemClock, systemRandom } from '../src/system.ts'
import { deriveKeys } from '../src/tokens/service-secret.ts'
import { checkImport, importAccounts, type ImportSummary } from './accounts/import.ts'
import { openReport } from './accounts/report.ts'
import { exitCodes, Refusal } from './answer.ts'
import { describeOutage, operator } from './operator.ts'
import { runProgram } from './program.ts'
import { findTarget, type Target } from './target.ts'

interface ImportFlags {
  readonly refusals?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

interface Options {
  readonly roles: string
  readonly json?: boolean
}

const rolesHint = 'Roles (--roles) are names of visible characters with one space between.'
const jsonHint = 'print JSON and nothing else on stdout'

/** The password comes from the terminal, unseen, or from a pipe; never from the command line, which others can read. */
async function askPassword(): Promise<string> {
  if (process.stdin.isTTY) return password({ message: 'Password:' }, { output: process.stderr })
  const chunks: string[] = []
  for await (const chunk of process.stdin) chunks.push(String(chunk))
  return chunks.join('').replace(/\r?\n$/, '')
}

function orRefuse<T>(result: Result<T, Failure>): T {
  if (result.ok) return result.value
  const { title, detail } = toWire(result.failure)
  throw new Refusal(detail ?? title)
}

/** As registration does. */
async function checkNewPassword(config: Config, username: string, wanted: string): Promise<Result<string, Failure>> {
  const policy = createPasswordPolicy(config, await makeCommonPasswords())
  const say = () =>
    process.stderr.write('Breached passwords could not be looked up: this one was not compared with them.\n')
  return policy.check({ password: wanted, username, log: { event: say } })
}

async function create(config: Config, name: string, roles: string): Promise<{ user_id: string; username: string }> {
  if (!isRoles(roles)) throw new Refusal(rolesHint)
  const username = orRefuse(checkUsername(name))
  const secret = orRefuse(await checkNewPassword(config, username, await askPassword()))
  const { passwordSecret } = await deriveKeys(config.secret)
  const hasher = createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom })
  const userId = await mintUserId(systemRandom, username, config.store.buckets)
  const account = {
    userId,
    username,
    hash: orRefuse(await hasher.hash(secret)),
    status: 'active' as const,
    roles,
    createdAtMs: systemClock.nowMs(),
  }
  const outcome = await createUpstashStore(config).createAccount({ account, actor: operator })
  if (outcome === 'taken') throw new Refusal(toWire({ reason: 'username_taken' }).title)
  return { user_id: userId, username }
}

/** Their sessions follow in the same step. */
async function change(
  config: Config,
  name: string,
  wanted: Pick<AccountChange, 'status' | 'roles'>,
): Promise<{ user_id: string; username: string; status: string; roles: string; ended_sessions: number }> {
  if (wanted.roles !== undefined && !isRoles(wanted.roles)) throw new Refusal(rolesHint)
  const store = createUpstashStore(config)
  const account = await store.findAccount(canonicalUsername(name))
  const changed =
    account && (await store.changeAccount({ account, ...wanted, nowMs: systemClock.nowMs(), actor: operator }))
  if (!changed) throw new Refusal('There is no account under this name.')
  const { userId, username, status, roles } = changed.account
  return { user_id: userId, username, status, roles, ended_sessions: changed.ended.length }
}

/** Does it on the target that the shell names, and prints what came of it. */
async function onTarget<T>(
  work: (config: Config, target: Target) => Promise<T>,
  { json, say }: { json: boolean | undefined; say: (done: T) => string },
): Promise<T> {
  const target = await findTarget({ shell: process.env })
  if (!json) process.stderr.write(`On ${target.name}; its store is ${target.store}.\n`)
  const config = parseConfig(target.env)
  if (!config.ok) throw new Refusal(`The configuration is not right: ${config.problems.join('; ')}.`)
  const done = await work(config.value, target).catch((error: unknown) => {
    if (!(error instanceof StoreUnavailable)) throw error
    throw new Refusal(describeOutage(target, error), exitCodes.unavailable)
  })
  process.stdout.write(`${json ? JSON.stringify(done) : say(done)}\n`)
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
  .description('Makes accounts where registration is closed, imports and changes them.')
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
