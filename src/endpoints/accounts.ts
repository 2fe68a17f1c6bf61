import { z } from 'zod'
import { checkUsername } from '../accounts/credentials.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readJson } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import { problem } from '../http/problem.ts'
import type { Log } from '../log.ts'
import type { Parts } from '../parts.ts'
import type { Actor } from '../store/audit.ts'
import { mintUserId } from '../store/keys.ts'
import type { Account } from '../store/store.ts'

const request = z.object({ username: z.string(), password: z.string() })

/** POST /v1/accounts: registration, where it is open. */
export function accountsEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    if (parts.config.registration === 'closed') return problem(c, { reason: 'registration_closed' })
    const body = await readJson(c, request)
    if (!body.ok) return problem(c, body.failure)
    const created = await register(parts, {
      ...body.value,
      log: c.get('log'),
      actor: readActor(c, parts.config, 'user:'),
    })
    if (!created.ok) return problem(c, created.failure)
    const { userId, username } = created.value
    c.get('log').event('account.created', { user_id: userId })
    return c.json({ user_id: userId, username }, 201)
  }
}

async function register(
  { config, store, hasher, passwordPolicy, clock, random }: Parts,
  wanted: z.infer<typeof request> & { readonly log: Log; readonly actor: Actor },
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
  // Who registers is who they are from then on.
  const actor = { ...wanted.actor, by: `user:${account.userId}` }
  const outcome = await store.createAccount({ account, actor })
  return outcome === 'created' ? ok(account) : failed({ reason: 'username_taken' })
}
