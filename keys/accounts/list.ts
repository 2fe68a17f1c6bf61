import { canonicalUsername } from '../../src/accounts/credentials.ts'
import { isSealedHash } from '../../src/accounts/sealed-hash.ts'
import type { Account, Store } from '../../src/store/store.ts'
import { plainTable } from '../plain-table.ts'
import { inLocalTime, inUtc } from '../times.ts'

/** Accounts of one call of the store. */
const PAGE = 500

export interface ListedAccounts {
  readonly accounts: readonly Account[]
  /** Whether there are more than were asked for. */
  readonly more: boolean
}

/** By username. */
export async function listAccounts(
  store: Pick<Store, 'listAccounts'>,
  { prefix, limit }: { readonly prefix: string; readonly limit: number },
): Promise<ListedAccounts> {
  const accounts: Account[] = []
  let after: string | undefined
  do {
    const wanted = Math.min(PAGE, limit - accounts.length)
    const page = await store.listAccounts({ prefix: canonicalUsername(prefix), after, limit: wanted })
    accounts.push(...page.accounts)
    after = page.next
  } while (after !== undefined && accounts.length < limit)
  return { accounts, more: after !== undefined }
}

export function describeList({ accounts, more }: ListedAccounts): string {
  if (accounts.length === 0) return 'There is no such account.'
  const rows = accounts.map(({ username, userId, status, roles, hash, createdAtMs }) => [
    username,
    userId,
    isSealedHash(hash) ? `${status}, imported` : status,
    roles,
    inLocalTime(createdAtMs),
  ])
  const table = plainTable(['username', 'user id', 'status', 'roles', 'created'], rows)
  return more ? `${table}\nThere are more: ask for them with --limit, or for fewer with --prefix.` : table
}

/** For programs: nothing of the password's hash but whether it is still another system's. */
export function listJson({ accounts, more }: ListedAccounts): unknown {
  return {
    accounts: accounts.map(({ username, userId, status, roles, hash, createdAtMs }) => ({
      username,
      user_id: userId,
      status,
      roles: roles === '' ? [] : roles.split(' '),
      created_at: inUtc(createdAtMs),
      has_imported_hash: isSealedHash(hash),
    })),
    more,
  }
}
