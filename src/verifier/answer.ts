/** From a verification to an answer over HTTP: RFC 6750 section 3. */
import { isStringArray } from './json.ts'
import type { Accepted, RefusalCode, Verification } from './result.ts'

/** What an endpoint asks of a token besides being good: every one of the scopes, and every one of the roles. */
export interface Requirements {
  readonly scopes?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
}

/** @throws {TypeError} for what would let too much through: a name with a typing error, a string for a list of them */
export function checkRequirements(requirements: Requirements): void {
  for (const [name, value] of Object.entries(requirements))
    if ((name !== 'scopes' && name !== 'roles') || (value !== undefined && !isStringArray(value)))
      throw new TypeError(`latchkey/verifier: ${name}: only scopes and roles can be required, as lists of strings`)
}

/** A refusal as it goes out. Why a token is bad is for the log: the caller hears `invalid_token`. */
export interface RefusalAnswer {
  readonly status: 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  /** RFC 9457, with a stable `code`. */
  readonly body: string
}

export type Admission =
  | { readonly ok: true; readonly token: Accepted }
  | { readonly ok: false; readonly answer: RefusalAnswer }

type AnswerCode = RefusalCode | 'token_missing' | 'insufficient_scope' | 'role_missing'

/** The token of an `Authorization` header. RFC 6750 section 2.1; the scheme's name is case-insensitive. */
export function readBearer(authorization: string | null | undefined): string | undefined {
  const scheme = /^Bearer +/i.exec(authorization ?? '')?.[0]
  return scheme === undefined ? undefined : authorization?.slice(scheme.length).trim() || undefined
}

/** Lets a verified token in, if it has what is asked for. `result` is undefined when the request had no token. */
export function admit(result: Verification | undefined, { scopes = [], roles = [] }: Requirements): Admission {
  // Without an error code: the caller may not have known that a token is needed.
  if (!result) return refuse(401, 'token_missing', { 'WWW-Authenticate': 'Bearer' })
  if (!result.ok && result.status === 503) return refuse(503, result.code, { 'Retry-After': '1' })
  if (!result.ok) return refuse(401, 'invalid_token', { 'WWW-Authenticate': 'Bearer error="invalid_token"' })
  const granted = new Set(result.claims.scope?.split(' '))
  if (!scopes.every((scope) => granted.has(scope))) {
    const challenge = `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"`
    return refuse(403, 'insufficient_scope', { 'WWW-Authenticate': challenge })
  }
  // Roles are no scopes, so the challenge names none.
  if (!roles.every((role) => result.claims.roles.includes(role)))
    return refuse(403, 'role_missing', { 'WWW-Authenticate': 'Bearer error="insufficient_scope"' })
  return { ok: true, token: result }
}

function refuse(status: RefusalAnswer['status'], code: AnswerCode, headers: Record<string, string>): Admission {
  return {
    ok: false,
    answer: {
      status,
      headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
      body: JSON.stringify({ type: 'about:blank', status, code, title: titles[code] }),
    },
  }
}

const titles: Record<AnswerCode, string> = {
  token_missing: 'An access token is needed.',
  invalid_token: 'The access token is not valid.',
  expired: 'The access token is not valid.',
  revoked: 'The access token is not valid.',
  insufficient_scope: 'The access token does not have the scope that is needed.',
  role_missing: 'The user does not have the role that is needed.',
  revocation_unknown: 'Whether the access token was revoked cannot be told now: try again.',
  keys_unavailable: 'The access token cannot be checked now: try again.',
}
