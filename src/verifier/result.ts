/** What a verifier says about a token. */
import type { AccessClaims } from './claims.ts'

/** What an accepted token was checked by, besides its signature. */
export type CheckedBy = 'feed' | 'introspection' | 'signature'

export interface Accepted {
  readonly ok: true
  /** As the issuer signed them, in the RFCs' names. Frozen: the same object may answer other calls. */
  readonly claims: AccessClaims
  readonly checked: CheckedBy
  /**
   * A revocation longer ago than this is known and would have been refused. Absent when revocation was not looked at
   * (`checked: 'signature'`).
   */
  readonly stalenessSeconds?: number
}

/**
 * | code | status | the token |
 * | --- | --- | --- |
 * | `invalid_token` | 401 | is none of this issuer for this audience, or is not valid yet |
 * | `expired` | 401 | was good once |
 * | `revoked` | 401 | was taken back: itself, its session, or the key that signed it |
 * | `revocation_unknown` | 503 | has a good signature; whether it was revoked cannot be told now |
 * | `keys_unavailable` | 503 | cannot be judged: the issuer's keys, or newer ones, cannot be fetched |
 */
export type RefusalCode = 'invalid_token' | 'expired' | 'revoked' | 'revocation_unknown' | 'keys_unavailable'

export interface Refused {
  readonly ok: false
  readonly code: RefusalCode
  readonly status: 401 | 503
  /** For logs: which check failed. Holds nothing of the token, and is not for the caller. */
  readonly detail: string
}

export type Verification = Accepted | Refused

const statuses: Record<RefusalCode, 401 | 503> = {
  invalid_token: 401,
  expired: 401,
  revoked: 401,
  revocation_unknown: 503,
  keys_unavailable: 503,
}

export function refused(code: RefusalCode, detail: string): Refused {
  return { ok: false, code, status: statuses[code], detail }
}
