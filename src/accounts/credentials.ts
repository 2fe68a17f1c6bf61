/** What a username and a password may be. NIST SP 800-63B-4 section 3.1.1.2, OWASP ASVS 5.0 section 6.2. */
import { failed, ok, type Result } from '../failure.ts'

/** Longest username, in code points. */
const USERNAME_LIMIT = 64
/** Longest password, in code points: long enough for anyone's passphrase, short enough to hash. */
const PASSWORD_LIMIT = 256

/**
 * The one spelling under which a username is stored and found: NFKC, lower case, no space around. Lower case comes between
 * two normalizations, since it can take a letter apart; so the spelling of a spelling is itself.
 */
export function canonicalUsername(username: string): string {
  return username.normalize('NFKC').toLowerCase().normalize('NFKC').trim()
}

/** A canonical username that can be registered: 1 to 64 code points, no control or invisible format characters. */
export function checkUsername(username: string): Result<string, { reason: 'username_rejected'; detail: string }> {
  const canonical = canonicalUsername(username)
  const length = countCodePoints(canonical)
  if (length < 1 || length > USERNAME_LIMIT)
    return failed({ reason: 'username_rejected', detail: `A username has 1 to ${USERNAME_LIMIT} characters.` })
  if (/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u.test(canonical))
    return failed({ reason: 'username_rejected', detail: 'A username has no control or invisible characters.' })
  return ok(canonical)
}

/** The bytes-to-be of a password: NFC, so that the same keys typed on two systems are one password. */
export function canonicalPassword(password: string): string {
  return password.normalize('NFC')
}

/** A canonical password that can be registered. Any Unicode, spaces too; only its length in code points is judged. */
export function checkPassword(
  password: string,
  minLength: number,
): Result<string, { reason: 'password_rejected'; detail: string }> {
  const canonical = canonicalPassword(password)
  const length = countCodePoints(canonical)
  if (length < minLength)
    return failed({ reason: 'password_rejected', detail: `A password has at least ${minLength} characters.` })
  if (length > PASSWORD_LIMIT)
    return failed({ reason: 'password_rejected', detail: `A password has at most ${PASSWORD_LIMIT} characters.` })
  return ok(canonical)
}

function countCodePoints(text: string): number {
  return Array.from(text).length
}
