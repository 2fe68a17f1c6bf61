import { z } from 'zod'
import { checkUsername } from '../accounts/credentials.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readJson } from '../http/body.ts'
import { readClientNetwork } from '../http/client-address.ts'
import type { RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../parts.ts'
import type { Actor } from '../store/audit.ts'
import { mintUserId } from '../store/keys.ts'
import type { Account } from '../store/store.ts'

const request = z.object({
  username: z.string().describe('1 to 64 characters, whatever their case.'),
  password: z.string().describe('At most 256 characters, and none that is easy to guess.'),
})
const answer = z.object({ user_id: z.string(), username: z.string().describe('As it is stored: in lower case.') })

export const accountsOperation: Operation = {
  id: 'createAccount',
  tag: 'Accounts',
  summary: 'Sign up, where registration is open',
  json: request,
  success: { status: 201, description: 'The account that was made.', content: { 'application/json': answer } },
  failures: [
    'registration_closed',
    'username_taken',
    'username_rejected',
    'password_rejected',
    'too_many_attempts',
    'unavailable',
    'overloaded',
  ],
}

/** POST /v1/accounts: registration, where it is open. */
export function accountsEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    if (parts.config.registration === 'closed') return problem(c, { reason: 'registration_closed' })
    const wanted = await readJson(c, request)
    if (!wanted.ok) return problem(c, wanted.failure)
    const network = readClientNetwork(c, parts.config.clientAddressHeader)
    const addressDigest = network && (await parts.logDigest(network))
    const created = await register(parts, {
      ...wanted.value,
      roles: '',
      addressDigest,
      log: c.get('log'),
      // Who registers is who they are from then on.
      actorOf: (userId) => readActor(c, parts.config, `user:${userId}`),
    })
    if (!created.ok) return problem(c, created.failure)
    const { userId, username } = created.value
    c.get('log').event('account.created', { user_id: userId })
    const body: z.infer<typeof answer> = { user_id: userId, username }
    return c.json(body, 201)
  }
}

export interface WantedAccount extends z.infer<typeof request> {
  /** Space-separated. */
  readonly roles: string
  /** Of where the registration comes from; undefined where that is not known, or does not count. */
  readonly addressDigest: string | undefined
  readonly log: Log
  /** Who makes the account, given its user id. */
  readonly actorOf: (userId: string) => Actor
}

/** The same rules for a user who registers and an administrator who makes an account for somebody. */
export async function register(
  { config, store, hasher, passwordPolicy, clock, random }: Parts,
  wanted: WantedAccount,
): Promise<Result<Account, Failure>> {
  const username = checkUsername(wanted.username)
  if (!username.ok) return username
  const password = await passwordPolicy.check({ ...wanted, username: username.value })
  if (!password.ok) return password
  // After what the user may still have to correct, before the work.
  const { addressDigest } = wanted
  const { waitMs } = addressDigest
    ? await store.admitRegistration({ addressDigest, nowMs: clock.nowMs() })
    : { waitMs: 0 }
  if (waitMs > 0) {
    wanted.log.event('registration.throttled', {})
    return failed({ reason: 'too_many_attempts', retryAfterSeconds: Math.ceil(waitMs / 1000) })
  }
  const hash = await hasher.hash(password.value)
  if (!hash.ok) return hash
  const account: Account = {
    userId: await mintUserId(random, username.value, config.store.buckets),
    username: username.value,
    hash: hash.value,
    status: 'active',
    roles: wanted.roles,
    createdAtMs: clock.nowMs(),
  }
  const outcome = await store.createAccount({ account, actor: wanted.actorOf(account.userId) })
  return outcome === 'created' ? ok(account) : failed({ reason: 'username_taken' })
}
