/** One account: made, or changed. */
import password from '@inquirer/password'
import { createHasher } from '../../src/accounts/hasher.ts'
import { canonicalUsername, checkUsername } from '../../src/accounts/credentials.ts'
import { createPasswordPolicy } from '../../src/accounts/password-policy.ts'
import type { Config } from '../../src/config.ts'
import { toWire, type Failure, type Result } from '../../src/failure.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { makeCommonPasswords } from '../../src/local/common-passwords.ts'
import type { AccountChange } from '../../src/store/administration.ts'
import { mintUserId } from '../../src/store/keys.ts'
import { isRoles } from '../../src/store/schema.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { systemClock, systemRandom } from '../../src/system.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { Refusal } from '../answer.ts'
import { operator } from '../operator.ts'

const rolesHint = 'Roles (--roles) are names of visible characters with one space between.'

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

export async function create(
  config: Config,
  name: string,
  roles: string,
): Promise<{ user_id: string; username: string }> {
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
export async function change(
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
