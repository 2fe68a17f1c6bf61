import { z } from 'zod'
import { canonicalUsername } from '../../accounts/credentials.ts'
import { readJson } from '../../http/body.ts'
import type { Operation } from '../../http/operation.ts'
import { problem } from '../../http/problem.ts'
import { limitOf, pageLimit, readQuery } from '../../http/query.ts'
import type { Parts } from '../../parts.ts'
import { register } from '../accounts.ts'
import { accountBody, describeAccount } from './account-body.ts'
import { administration, forAdministrators } from './administrator.ts'
import { joinNames, roleList } from './roles.ts'

const query = z.object({
  prefix: z.string().optional(),
  username: z.string().optional(),
  after: z.string().optional(),
  limit: pageLimit.optional(),
})

const page = z.object({
  accounts: z.array(accountBody),
  next: z.string().optional().describe('`after` of the next page, if there is more.'),
})

export const listAccountsOperation: Operation = {
  ...administration,
  id: 'listAccounts',
  summary: 'Find accounts, or page through them',
  description: 'By username, in the order of its characters’ numbers.',
  parameters: [
    { in: 'query', name: 'prefix', description: 'How their usernames begin.' },
    { in: 'query', name: 'username', description: 'The one account that has it, however it is spelled.' },
    { in: 'query', name: 'after', description: '`next` of the page before.' },
    { in: 'query', name: 'limit', description: 'At most so many, 1 to 200; 50 by default.', schema: pageLimit },
  ],
  success: { status: 200, description: 'A page.', content: { 'application/json': page } },
  failures: [...administration.failures, 'bad_request'],
}

/** GET /v1/admin/accounts: a page of the accounts, by username; those whose name begins with `prefix`, or the one that has it. */
export function listAccountsEndpoint(parts: Parts) {
  const { store } = parts
  return forAdministrators(parts, async (c) => {
    const asked = readQuery(c, query)
    if (!asked.ok) return problem(c, asked.failure)
    const { username, prefix, after, limit } = asked.value
    if (username !== undefined) {
      const account = await store.findAccount(canonicalUsername(username))
      return c.json({ accounts: account ? [describeAccount(account)] : [] } satisfies z.infer<typeof page>)
    }
    const found = await store.listAccounts({
      prefix: prefix && canonicalUsername(prefix),
      after,
      limit: limitOf(limit),
    })
    const body: z.infer<typeof page> = { accounts: found.accounts.map(describeAccount), next: found.next }
    return c.json(body)
  })
}

const request = z.strictObject({ username: z.string(), password: z.string(), roles: roleList.optional() })

export const makeAccountOperation: Operation = {
  ...administration,
  id: 'makeAccount',
  summary: 'Make an account for somebody',
  description: 'Also while registration is closed, under the same rules.',
  json: request,
  success: { status: 201, description: 'The account that was made.', content: { 'application/json': accountBody } },
  failures: [...administration.failures, 'username_taken', 'username_rejected', 'password_rejected', 'overloaded'],
}

/** POST /v1/admin/accounts: makes an account for somebody, also while registration is closed, under the same rules. */
export function makeAccountEndpoint(parts: Parts) {
  return forAdministrators(parts, async (c, { actor }) => {
    const wanted = await readJson(c, request)
    if (!wanted.ok) return problem(c, wanted.failure)
    const { roles = [], ...credentials } = wanted.value
    const created = await register(parts, {
      ...credentials,
      roles: joinNames(roles),
      addressDigest: undefined,
      log: c.get('log'),
      actorOf: () => actor,
    })
    if (!created.ok) return problem(c, created.failure)
    c.get('log').event('account.created', { user_id: created.value.userId, by: actor.by })
    return c.json(describeAccount(created.value), 201)
  })
}
