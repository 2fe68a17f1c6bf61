/** Which passwords may be set: long enough, not guessed first, and not known from a breach where that is looked up. */
import type { Config } from '../config.ts'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import type { Log } from '../log.ts'
import { createBreachLookup } from './breached.ts'
import { checkPassword } from './credentials.ts'
import { whyGuessable } from './guessable.ts'

export type PasswordRejected = Extract<Failure, { reason: 'password_rejected' }>

export interface WantedPassword {
  readonly password: string
  /** Canonical; of the account that is to have it. */
  readonly username: string
  readonly log: Pick<Log, 'event'>
}

export interface PasswordPolicy {
  /** The canonical password, or why it may not be set. A look-up that fails refuses nothing, and is logged. */
  check(wanted: WantedPassword): Promise<Result<string, PasswordRejected>>
}

/** @param commonPasswords as `Guesses` has them */
export function createPasswordPolicy(
  {
    issuer,
    passwordMinLength,
    breachedPasswordsUrl,
  }: Pick<Config, 'issuer' | 'passwordMinLength' | 'breachedPasswordsUrl'>,
  commonPasswords: string,
): PasswordPolicy {
  const { hostname } = new URL(issuer)
  const lookUp = breachedPasswordsUrl === undefined ? undefined : createBreachLookup(breachedPasswordsUrl)

  return {
    async check({ password, username, log }) {
      const checked = checkPassword(password, passwordMinLength)
      if (!checked.ok) return checked
      const detail = whyGuessable(checked.value, { commonPasswords, context: [username, hostname] })
      if (detail !== undefined) return failed({ reason: 'password_rejected', detail })
      const answer = await lookUp?.(checked.value)
      if (answer && 'problem' in answer) log.event('password.lookup_failed', { detail: answer.problem })
      if (answer && 'breached' in answer && answer.breached)
        return failed({
          reason: 'password_rejected',
          detail: 'This password is known from a breach of another service.',
        })
      return ok(checked.value)
    },
  }
}
