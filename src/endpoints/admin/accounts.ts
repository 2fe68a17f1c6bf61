import { z } from 'zod'
import { canonicalUsername } from '../../accounts/credentials.ts'
import { failed, ok, type Failure, type Result } from '../../failure.ts'
import { readJson } from '../../http/body.ts'
import type { RequestContext } from '../../http/context.ts'
import { problem } from '../../http/problem.ts'
import { pageLimit, readQuery } from '../../http/query.ts'
import type { Log } from '../../log.ts'
import { namesOf } from '../../names.ts'
import type { Parts } from '../../parts.ts'
import type { Account } from '../../store/store.ts'
import { register } from '../accounts.ts'
import { ADMIN_ROLE, forAdministrators, type Administrator } from './administrator.ts'
import { roleList } from './roles.ts'

const query = z.object({
  prefix: z.string().optional(),
  username: z.string().optional(),
  after: z.string().optional(),
  limit: pageLimit,
})

/** GET /v1/admin/accounts: a page of the accounts, by username; those whose name begins with `prefix`, or the one that has it. */
export function listAccountsEndpoint(parts: Parts) {
  const { store } = parts
  return forAdministrators(parts, async (c) => {
    const asked = readQuery(c, query)
    if (!asked.ok) return problem(c, asked.failure)
    const { username, prefix, after, limit } = asked.value
    if (username !== undefined) {
      const account = await store.findAccount(canonicalUsername(username))
      return c.json({ accounts: account ? [describe(account)] : [] })
    }
    const page = await store.listAccounts({ prefix: prefix && canonicalUsername(prefix), after, limit })
    return c.json({ accounts: page.accounts.map(describe), next: page.next })
  })
}

const creation = z.strictObject({ username: z.string(), password: z.string(), roles: roleList.default([]) })

/** POST /v1/admin/accounts: makes an account for somebody, also while registration is closed, under the same rules. */
export function createAccountEndpoint(parts: Parts) {
  return forAdministrators(parts, async (c, { actor }) => {
    const body = await readJson(c, creation)
    if (!body.ok) return problem(c, body.failure)
    const { roles, ...credentials } = body.value
    const created = await register(parts, {
      ...credentials,
      roles: roles.join(' '),
      addressDigest: undefined,
      log: c.get('log'),
      actorOf: () => actor,
    })
    if (!created.ok) return problem(c, created.failure)
    c.get('log').event('account.created', { user_id: created.value.userId, by: actor.by })
    return c.json(describe(created.value), 201)
  })
}

/** GET /v1/admin/accounts/{user_id} */
export function readAccountEndpoint(parts: Parts) {
  const { store } = parts
  return forAdministrators(parts, async (c) => {
    const userId = readUserId(c)
    const username = await store.findUsername(userId)
    const account = username === undefined ? undefined : await store.findAccount(username)
    if (account?.userId !== userId) return problem(c, { reason: 'not_found' })
    return c.json(describe(account))
  })
}

const wishes = z
  .strictObject({ status: z.enum(['active', 'disabled']).optional(), roles: roleList.optional() })
  .refine(({ status, roles }) => status !== undefined || roles !== undefined)

/**
 * PATCH /v1/admin/accounts/{user_id}: its status, its roles or both. `active` also unlocks it, `disabled` ends its sessions (OWASP
 * ASVS 7.4.2); running sessions have new roles at once.
 */
export function changeAccountEndpoint(parts: Parts) {
  return forAdministrators(parts, async (c, administrator) => {
    const body = await readJson(c, wishes)
    if (!body.ok) return problem(c, body.failure)
    const { status, roles } = body.value
    const userId = readUserId(c)
    const changed = await changeAccount(parts, administrator, { userId, status, roles })
    if (!changed.ok) return problem(c, changed.failure)
    const { account, ended } = changed.value
    const log = c.get('log').with({ user_id: userId, by: administrator.actor.by })
    if (status !== undefined) log.event(status === 'active' ? 'account.enabled' : 'account.disabled', {})
    if (roles !== undefined) log.event('account.roles_set', { roles: account.roles })
    logEnded(log, ended)
    return c.json({ ...describe(account), ended_sessions: ended.length })
  })
}

/** DELETE /v1/admin/accounts/{user_id}: the account, and with it its sessions (OWASP ASVS 7.4.2). */
export function deleteAccountEndpoint(parts: Parts) {
  return forAdministrators(parts, async (c, administrator) => {
    const userId = readUserId(c)
    const deleted = await deleteAccount(parts, administrator, userId)
    if (!deleted.ok) return problem(c, deleted.failure)
    const log = c.get('log').with({ user_id: userId, by: administrator.actor.by })
    log.event('account.deleted', {})
    logEnded(log, deleted.value)
    return c.body(null, 204)
  })
}

interface Wishes extends z.infer<typeof wishes> {
  readonly userId: string
}

async function changeAccount(
  { store, clock, liveCheck }: Pick<Parts, 'store' | 'clock' | 'liveCheck'>,
  administrator: Administrator,
  { userId, status, roles }: Wishes,
): Promise<Result<{ readonly account: Account; readonly ended: readonly string[] }, Failure>> {
  const isLosing = status === 'disabled' || (roles && !roles.includes(ADMIN_ROLE))
  if (isLosing && userId === administrator.userId) return failed({ reason: 'own_account' })
  const username = await store.findUsername(userId)
  if (username === undefined) return failed({ reason: 'not_found' })
  try {
    const changed = await store.changeAccount({
      account: { userId, username },
      status,
      roles: roles?.join(' '),
      nowMs: clock.nowMs(),
      actor: administrator.actor,
    })
    return changed ? ok(changed) : failed({ reason: 'not_found' })
  } finally {
    // Even if the store gave no answer: it may have made the change.
    liveCheck.forget(userId)
  }
}

/** The sessions that it ended. */
async function deleteAccount(
  { store, clock, liveCheck }: Pick<Parts, 'store' | 'clock' | 'liveCheck'>,
  administrator: Administrator,
  userId: string,
): Promise<Result<readonly string[], Failure>> {
  if (userId === administrator.userId) return failed({ reason: 'own_account' })
  const username = await store.findUsername(userId)
  if (username === undefined) return failed({ reason: 'not_found' })
  try {
    const account = { userId, username }
    const deleted = await store.deleteAccount({ account, nowMs: clock.nowMs(), actor: administrator.actor })
    // It was there a moment ago: either another call was faster, or the store was asked twice.
    return ok(deleted?.ended ?? [])
  } finally {
    liveCheck.forget(userId)
  }
}

function readUserId(c: RequestContext): string {
  return c.req.param('user_id') ?? ''
}

function logEnded(log: Log, sids: readonly string[]): void {
  for (const sid of sids) log.event('session.ended', { session_id: sid })
}

/** `created_at` is in seconds since the epoch. */
function describe({ userId, username, status, roles, createdAtMs }: Account) {
  return {
    user_id: userId,
    username,
    status,
    roles: namesOf(roles),
    created_at: Math.floor(createdAtMs / 1000),
  }
}
