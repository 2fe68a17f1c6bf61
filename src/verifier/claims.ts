import { isFiniteNumber, isStringArray, type JsonObject } from './json.ts'
import { refused, type Refused } from './result.ts'

/** RFC 9068 section 2.2, with `sid` of OpenID Connect and Latchkey's own `roles`. */
export interface AccessClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly client_id: string
  /** Seconds since the epoch, like `exp`, `nbf` and `auth_time`. */
  readonly iat: number
  readonly exp: number
  readonly nbf?: number
  readonly jti: string
  readonly sid: string
  readonly auth_time: number
  /** How the user was authenticated, where the issuer knows: RFC 8176. */
  readonly amr?: readonly string[]
  readonly roles: readonly string[]
  /** Separated by spaces. */
  readonly scope?: string
}

/** The claims of a payload or of an introspection answer, frozen; undefined when one is missing or of the wrong type. */
export function parseClaims(payload: JsonObject): AccessClaims | undefined {
  const { iss, sub, aud, client_id, iat, exp, nbf, jti, sid, auth_time, amr, roles, scope } = payload
  if (typeof iss !== 'string' || typeof sub !== 'string' || typeof client_id !== 'string') return undefined
  if (typeof jti !== 'string' || typeof sid !== 'string') return undefined
  if (typeof aud !== 'string' && !isStringArray(aud)) return undefined
  if (!isFiniteNumber(iat) || !isFiniteNumber(exp) || !isFiniteNumber(auth_time)) return undefined
  if (!isStringArray(roles) || (amr !== undefined && !isStringArray(amr))) return undefined
  if ((nbf !== undefined && !isFiniteNumber(nbf)) || (scope !== undefined && typeof scope !== 'string'))
    return undefined
  return Object.freeze({
    iss,
    sub,
    aud: typeof aud === 'string' ? aud : Object.freeze(aud),
    client_id,
    iat,
    exp,
    ...(nbf === undefined ? {} : { nbf }),
    jti,
    sid,
    auth_time,
    ...(amr === undefined ? {} : { amr: Object.freeze(amr) }),
    roles: Object.freeze(roles),
    ...(scope === undefined ? {} : { scope }),
  })
}

/** Whether claims are for us at all: what holds once holds always. `iss` is compared byte for byte. */
export function checkIntent(
  { iss, aud }: AccessClaims,
  expected: { readonly issuer: string; readonly audiences: readonly string[] },
): Refused | undefined {
  if (iss !== expected.issuer) return refused('invalid_token', 'iss is another issuer')
  const named = typeof aud === 'string' ? [aud] : aud
  if (!named.some((one) => expected.audiences.includes(one))) return refused('invalid_token', 'aud is another audience')
  return undefined
}

export interface Times {
  readonly nowSeconds: number
  /** The issuer's time, where it is known. */
  readonly issuerSeconds: number | undefined
  readonly toleranceSeconds: number
}

/**
 * Whether claims are valid now (RFC 7519 sections 4.1.4 and 4.1.5). A token has expired when it has by either clock:
 * the issuer drops revocations by its own, so that a verifier whose clock is behind must not still take the token.
 */
export function checkTimes({ exp, nbf }: AccessClaims, times: Times): Refused | undefined {
  const { nowSeconds, issuerSeconds = nowSeconds, toleranceSeconds } = times
  if (exp + toleranceSeconds <= Math.max(nowSeconds, issuerSeconds)) return refused('expired', 'exp has passed')
  if (nbf !== undefined && nbf - toleranceSeconds > nowSeconds) return refused('invalid_token', 'nbf is still to come')
  return undefined
}
