/** `npm run accounts -- create NAME`: makes an account where registration is closed, such as the first administrator's. */
import password from '@inquirer/password'
import { Command } from 'commander'
import { createHasher } from '../src/accounts/hasher.ts'
import { checkPassword, checkUsername } from '../src/accounts/credentials.ts'
import { parseConfig, type Config } from '../src/config.ts'
import { StoreUnavailable, toWire, type Failure } from '../src/failure.ts'
import { argon2Native } from '../src/local/argon2-native.ts'
import { mintUserId } from '../src/store/keys.ts'
import { isRoles } from '../src/store/schema.ts'
import { createUpstashStore } from '../src/store/upstash.ts'
import { systemClock, systemRandom } from '../src/system.ts'
import { deriveKeys } from '../src/tokens/service-secret.ts'
import { exitCodes, Refusal } from './answer.ts'
import { describeOutage } from './operator.ts'
import { runProgram } from './program.ts'
import { findTarget } from './target.ts'

interface Options {
  readonly roles: string
  readonly json?: boolean
}

/** The password comes from the terminal, unseen, or from a pipe; never from the command line, which others can read. */
async function askPassword(): Promise<string> {
  if (process.stdin.isTTY) return password({ message: 'Password:' }, { output: process.stderr })
  const chunks: string[] = []
  for await (const chunk of process.stdin) chunks.push(String(chunk))
  return chunks.join('').replace(/\r?\n$/, '')
}

function orRefuse<T>(result: { ok: true; value: T } | { ok: false; failure: Failure }): T {
  if (result.ok) return result.value
  const { title, detail } = toWire(result.failure)
  throw new Refusal(detail ?? title)
}

async function create(config: Config, name: string, roles: string): Promise<{ user_id: string; username: string }> {
  if (!isRoles(roles)) throw new Refusal('--roles takes names of visible characters with one space between.')
  const username = orRefuse(checkUsername(name))
  const secret = orRefuse(checkPassword(await askPassword(), config.passwordMinLength))
  const { passwordSecret } = await deriveKeys(config.secret)
  const hasher = createHasher(argon2Native, { secrets: [passwordSecret], random: systemRandom })
  const userId = await mintUserId(systemRandom, username, config.store.buckets)
  const outcome = await createUpstashStore(config).createAccount({
    userId,
    username,
    hash: orRefuse(await hasher.hash(secret)),
    status: 'active',
    roles,
    createdAtMs: systemClock.nowMs(),
  })
  if (outcome === 'taken') throw new Refusal(toWire({ reason: 'username_taken' }).title)
  return { user_id: userId, username }
}

const program = new Command('npm run accounts --')
  .description('Makes accounts, for services whose registration is closed.')
  .helpCommand(false)
  .exitOverride()
  .showHelpAfterError('See npm run accounts -- --help.')

program
  .command('create <username>')
  .description('Makes an account. Asks for the password, or reads it from a pipe.')
  .option('--roles <names>', 'roles, with a space between', '')
  .option('--json', 'print JSON and nothing else on stdout')
  .addHelpText(
    'after',
    `
Examples:
  npm run accounts -- create ada --roles admin
  pass show ada | npm run --silent accounts -- create ada --json

It works where npm run keys does: on the local stack, or on the service whose store the shell names.
Exit codes:  0 done   1 refused   2 wrong usage   3 store unavailable`,
  )
  .action(async (name: string, { roles, json }: Options) => {
    const target = await findTarget({ shell: process.env })
    if (!json) process.stderr.write(`On ${target.name}; its store is ${target.store}.\n`)
    const config = parseConfig(target.env)
    if (!config.ok) throw new Refusal(`The configuration is not right: ${config.problems.join('; ')}.`)
    const made = await create(config.value, name, roles).catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error
      throw new Refusal(describeOutage(target, error), exitCodes.unavailable)
    })
    const text = `Made ${made.username}, user id ${made.user_id}${roles && `, with roles ${roles}`}.`
    process.stdout.write(`${json ? JSON.stringify(made) : text}\n`)
  })

await runProgram(program)
