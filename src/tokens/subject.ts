/** Whom a token is about: a user of Latchkey's own, or a subject, whom another login system has authenticated. */
import { shortDigest } from '../short-digest.ts'

/** Stands in no user id and in no client id, so that no `sub` can be taken for another's (RFC 9068 section 5). */
const SEPARATOR = ':'

/** The `sub` of somebody whom a service authenticates: `<client id of the service>:<its own name for them>`. */
export function subOf(serviceId: string, subject: string): string {
  return serviceId + SEPARATOR + subject
}

/** Under which id the store keeps the sessions of a `sub`: a user's own, or for a subject 16 bytes in base64url as well. */
export async function userIdOf(sub: string): Promise<string> {
  return sub.includes(SEPARATOR) ? shortDigest(sub) : sub
}
