/** A line of the file to import: an account of another system, or why it is none. */
import { z } from 'zod'
import { checkUsername } from '../../src/accounts/credentials.ts'
import { whyNotImportable } from '../../src/accounts/foreign-hash.ts'
import { jsonText } from '../../src/json-text.ts'
import { isRoles } from '../../src/store/schema.ts'
import type { Account } from '../../src/store/store.ts'
import type { FileLine } from './lines.ts'

/** What is known of an account before it has an id. */
export interface Candidate extends Pick<Account, 'username' | 'roles'> {
  /** As the other system made it. */
  readonly foreignHash: string
  readonly status: 'active' | 'disabled'
  readonly createdAtMs: number | undefined
}

/** `reason` is for people, and holds nothing of the hash. `username` as the line has it. */
export interface RefusedLine {
  readonly line: number
  readonly username: string | undefined
  readonly reason: string
}

const role = z
  .string()
  .refine((name) => /^\S+$/.test(name) && isRoles(name), 'a role has visible ASCII characters only')

/** Strict: a field with another name than these would be lost without a word. */
const fields = z.strictObject({
  username: z.string(),
  // Twice as long as any that is taken.
  password_hash: z.string().max(512, 'is longer than 512 characters'),
  roles: z.array(role).default([]),
  status: z.enum(['active', 'disabled']).default('active'),
  created_at: z
    .union(
      [z.iso.datetime({ offset: true }), z.iso.date()],
      'must be a date or time of ISO 8601, such as 2024-02-29T12:00:00Z',
    )
    .optional(),
})
const named = z.object({ username: z.string() })
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Undefined for a blank line. */
export function readCandidate({ number, bytes }: FileLine): Candidate | RefusedLine | undefined {
  const text = bytes && decode(bytes)
  if (text?.trim() === '') return undefined
  const refuse = (reason: string, username?: string): RefusedLine => ({ line: number, username, reason })
  if (!bytes) return refuse('The line is longer than 64 KiB.')
  if (text === undefined) return refuse('The line is not UTF-8.')
  const json = jsonText.safeParse(text)
  if (!json.success) return refuse('The line is not JSON.')
  const name = named.safeParse(json.data).data?.username
  const parsed = fields.safeParse(json.data)
  if (!parsed.success) return refuse(describe(parsed.error), name)
  const { password_hash: foreignHash, roles, status, created_at } = parsed.data
  const username = checkUsername(parsed.data.username)
  if (!username.ok) return refuse(username.failure.detail, name)
  const problem = whyNotImportable(foreignHash)
  if (problem !== undefined) return refuse(problem, name)
  return {
    username: username.value,
    foreignHash,
    roles: roles.join(' '),
    status,
    createdAtMs: created_at === undefined ? undefined : Date.parse(created_at),
  }
}

function decode(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** zod's messages name what was expected, never what was there. */
function describe(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ')
}
