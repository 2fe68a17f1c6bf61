import { z } from 'zod'

/** More than anybody has: roles stand in each session's record, in each token, and in a header. */
const ROLES_LIMIT = 32
const ROLE_LENGTH_LIMIT = 64

/** Names of roles: visible ASCII, since they become a header and a claim. */
export const roleList = z
  .array(
    z
      .string()
      .regex(/^[\x21-\x7e]+$/)
      .max(ROLE_LENGTH_LIMIT),
  )
  .max(ROLES_LIMIT)

/** As they are stored, with one space between. What is named twice counts once. */
export function joinNames(names: readonly string[]): string {
  return [...new Set(names)].join(' ')
}
