import { z } from 'zod'
import { namesOf } from '../../names.ts'
import type { Account } from '../../store/store.ts'

/** An account, as administrators see it. */
export const accountBody = z
  .object({
    user_id: z.string(),
    username: z.string(),
    status: z.enum(['active', 'disabled', 'locked']).describe('`locked`: too many wrong passwords in a row.'),
    roles: z.array(z.string()),
    created_at: z.number().describe('Seconds since the epoch.'),
  })
  .meta({ ref: 'Account' })

export function describeAccount(account: Account): z.infer<typeof accountBody> {
  const { userId, username, status, roles, createdAtMs } = account
  return {
    user_id: userId,
    username,
    status,
    roles: namesOf(roles),
    created_at: Math.floor(createdAtMs / 1000),
  }
}
