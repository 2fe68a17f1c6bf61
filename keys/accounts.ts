/** `npm run accounts`: makes accounts where registration is closed, such as the first administrator's, and changes them. */
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
import { exitCodes, Refusal } from './answer.ts'
import { describeOutage, operator } from './operator.ts'
import { runProgram } from './program.ts'
import { findTarget } from './target.ts'

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
  work: (config: Config) => Promise<T>,
  { json, say }: { json: boolean | undefined; say: (done: T) => string },
): Promise<void> {
  const target = await findTarget({ shell: process.env })
  if (!json) process.stderr.write(`On ${target.name}; its store is ${target.store}.\n`)
  const config = parseConfig(target.env)
  if (!config.ok) throw new Refusal(`The configuration is not right: ${config.problems.join('; ')}.`)
  const done = await work(config.value).catch((error: unknown) => {
    if (!(error instanceof StoreUnavailable)) throw error
    throw new Refusal(describeOutage(target, error), exitCodes.unavailable)
  })
  process.stdout.write(`${json ? JSON.stringify(done) : say(done)}\n`)
}

const program = new Command('npm run accounts --')
  .description('Makes accounts where registration is closed, and changes them.')
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
  .action((name: string, { roles, json }: Options) =>
    onTarget((config) => create(config, name, roles), {
      json,
      say: (made) => `Made ${made.username}, user id ${made.user_id}${roles && `, with roles ${roles}`}.`,
    }),
  )

const changes = [
  ['disable', 'Ends all sessions of an account; nobody signs in to it any more.', 'disabled'],
  ['enable', 'Lets its owner sign in again; unlocks it after too many wrong passwords.', 'active'],
] as const
for (const [name, description, status] of changes)
  program
    .command(`${name} <username>`)
    .description(description)
    .option('--json', jsonHint)
    .action((username: string, { json }: Pick<Options, 'json'>) =>
      onTarget((config) => change(config, username, { status }), {
        json,
        say: (done) => `${done.username} is ${done.status}; ${done.ended_sessions} sessions were ended.`,
      }),
    )

program
  .command('set-roles <username> [roles]')
  .description(
    'Sets the roles of an account, with a space between; none to take all away. Its sessions have them at once.',
  )
  .option('--json', jsonHint)
  .action((username: string, roles = '', { json }: Pick<Options, 'json'>) =>
    onTarget((config) => change(config, username, { roles }), {
      json,
      say: (done) => `${done.username} has ${done.roles === '' ? 'no roles' : `the roles ${done.roles}`}.`,
    }),
  )

await runProgram(program)
