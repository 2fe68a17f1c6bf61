import { z } from 'zod'
import { failed, ok, type Failure, type Result } from '../../failure.ts'
import { readJson } from '../../http/body.ts'
import type { RequestContext } from '../../http/context.ts'
import type { Operation } from '../../http/operation.ts'
import { problem } from '../../http/problem.ts'
import type { Log } from '../../log.ts'
import type { Parts } from '../../parts.ts'
import type { Account } from '../../store/store.ts'
import { accountBody, describeAccount } from './account-body.ts'
import { ADMIN_ROLE, administration, forAdministrators, type Administrator } from './administrator.ts'
import { joinNames, roleList } from './roles.ts'

const common = {
  ...administration,
  parameters: [{ in: 'path', name: 'user_id', description: 'The `user_id` of the account.' }],
  failures: [...administration.failures, 'not_found'],
} as const

export const readAccountOperation: Operation = {
  ...common,
  id: 'readAccount',
  summary: 'Look at an account',
  success: { status: 200, description: 'The account.', content: { 'application/json': accountBody } },
}

/** GET /v1/admin/accounts/{user_id} */
export function readAccountEndpoint(parts: Parts) {
  const { store } = parts
  return forAdministrators(parts, async (c) => {
    const userId = readUserId(c)
    const username = await store.findUsername(userId)
    const account = username === undefined ? undefined : await store.findAccount(username)
    return account?.userId === userId ? c.json(describeAccount(account)) : problem(c, { reason: 'not_found' })
  })
}

const wishes = z
  .strictObject({ status: z.enum(['active', 'disabled']).optional(), roles: roleList.optional() })
  .refine(({ status, roles }) => status !== undefined || roles !== undefined)

const changedBody = accountBody.extend({
  ended_sessions: z.number().describe('How many sessions a disabled account has lost.'),
})

export const changeAccountOperation: Operation = {
  ...common,
  id: 'changeAccount',
  summary: 'Set the status or the roles of an account, or both',
  description:
    '`active` also unlocks it, `disabled` ends its sessions. Running sessions have new roles at once. Administrators can ' +
    'neither disable themselves nor give up the role `admin`.',
  json: wishes,
  success: { status: 200, description: 'The account as it is now.', content: { 'application/json': changedBody } },
  failures: [...common.failures, 'own_account'],
}

/** PATCH /v1/admin/accounts/{user_id}: its status, its roles or both. OWASP ASVS 7.4.2. */
export function changeAccountEndpoint(parts: Parts) {
  return forAdministrators(parts, async (c, administrator) => {
    const wanted = await readJson(c, wishes)
    if (!wanted.ok) return problem(c, wanted.failure)
    const { status, roles } = wanted.value
    const userId = readUserId(c)
    const changed = await changeAccount(parts, administrator, { userId, status, roles })
    if (!changed.ok) return problem(c, changed.failure)
    const { account, ended } = changed.value
    const log = c.get('log').with({ user_id: userId, by: administrator.actor.by })
    if (status !== undefined) log.event(status === 'active' ? 'account.enabled' : 'account.disabled', {})
    if (roles !== undefined) log.event('account.roles_set', { roles: account.roles })
    logEnded(log, ended)
    const body: z.infer<typeof changedBody> = { ...describeAccount(account), ended_sessions: ended.length }
    return c.json(body)
  })
}

export const deleteAccountOperation: Operation = {
  ...common,
  id: 'deleteAccount',
  summary: 'Delete an account and end its sessions',
  description: 'Administrators cannot delete themselves. The username is free again.',
  success: { status: 204, description: 'It is gone.' },
  failures: [...common.failures, 'own_account'],
}

/** DELETE /v1/admin/accounts/{user_id}: the account, and with it its sessions. OWASP ASVS 7.4.2. */
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

type Ending = Pick<Parts, 'store' | 'clock' | 'liveCheck'>

async function changeAccount(
  { store, clock, liveCheck }: Ending,
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
      roles: roles && joinNames(roles),
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
  { store, clock, liveCheck }: Ending,
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
