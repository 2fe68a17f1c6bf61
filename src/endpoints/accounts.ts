import { z } from 'zod'
import { checkUsername } from '../accounts/credentials.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readJson } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../parts.ts'
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
    const created = await register(parts, { ...wanted.value, log: c.get('log') })
    if (!created.ok) return problem(c, created.failure)
    const { userId, username } = created.value
    c.get('log').event('account.created', { user_id: userId })
    const body: z.infer<typeof answer> = { user_id: userId, username }
    return c.json(body, 201)
  }
}

async function register(
  { config, store, hasher, passwordPolicy, clock, random }: Parts,
  wanted: z.infer<typeof request> & { readonly log: Log },
): Promise<Result<Account, Failure>> {
  const username = checkUsername(wanted.username)
  if (!username.ok) return username
  const password = await passwordPolicy.check({ ...wanted, username: username.value })
  if (!password.ok) return password
  const hash = await hasher.hash(password.value)
  if (!hash.ok) return hash
  const account: Account = {
    userId: await mintUserId(random, username.value, config.store.buckets),
    username: username.value,
    hash: hash.value,
    status: 'active',
    roles: '',
    createdAtMs: clock.nowMs(),
  }
  const outcome = await store.createAccount(account)
  return outcome === 'created' ? ok(account) : failed({ reason: 'username_taken' })
}
