/**
 * How things that are expected to go wrong are told: as values inside, as one status and one stable code outside.
 *
 * Expected failures are returned as a {@link Result}. Outages and bugs are thrown; the app's error handler brings both
 * here too, so {@link toWire} is the only place that knows a status or a code.
 */

export type Result<T, F> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: F }

export function ok<T>(value: T): { ok: true; value: T } {
  return { ok: true, value }
}

export function failed<F extends Failure>(failure: F): { ok: false; failure: F } {
  return { ok: false, failure }
}

/** Why a refresh token was not exchanged: design section 2, "What rotation answers". */
export type RefreshFailure =
  | { readonly reason: 'malformed' }
  | { readonly reason: 'foreign' }
  | { readonly reason: 'expired' }
  | { readonly reason: 'superseded' }
  | { readonly reason: 'unknown' }
  | { readonly reason: 'reused' }

/** Something was done so often that the next time must wait. */
export interface TooOften {
  readonly reason: 'too_many_attempts'
  readonly retryAfterSeconds: number
}

/** Why a request was refused. `detail` is for people and must never repeat a secret that the caller sent. */
export type Failure =
  | RefreshFailure
  | { readonly reason: 'bad_request'; readonly detail: string }
  | { readonly reason: 'token_in_query' }
  | { readonly reason: 'client_unknown' }
  | { readonly reason: 'client_not_allowed' }
  | { readonly reason: 'client_unauthenticated' }
  | { readonly reason: 'grant_unsupported' }
  | { readonly reason: 'scope_refused'; readonly detail: string }
  | { readonly reason: 'credentials_wrong' }
  | TooOften
  | { readonly reason: 'token_missing' }
  | { readonly reason: 'token_invalid' }
  | { readonly reason: 'origin_foreign' }
  | { readonly reason: 'registration_closed' }
  | { readonly reason: 'not_found' }
  | { readonly reason: 'method_not_allowed'; readonly allow: string }
  | { readonly reason: 'username_taken' }
  | { readonly reason: 'username_rejected'; readonly detail: string }
  | { readonly reason: 'password_rejected'; readonly detail: string }
  | { readonly reason: 'body_too_large' }
  | { readonly reason: 'not_json' }
  | { readonly reason: 'not_form' }
  | { readonly reason: 'unavailable' }
  | { readonly reason: 'overloaded' }
  | { readonly reason: 'not_ready'; readonly missing: readonly string[] }
  | { readonly reason: 'misconfigured' }
  | { readonly reason: 'internal' }

/** The store did not give an answer: it is slow, down or refusing. Never thrown because a token is bad. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

/** The store answers, and holds no key ring that this service's secret opens. */
export class KeyRingUnreadable extends StoreUnavailable {}

/** An answer as it goes out: RFC 9457 members plus headers. */
export interface Wire {
  readonly status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 415 | 422 | 429 | 500 | 503
  readonly code: string
  readonly title: string
  readonly detail?: string
  readonly missing?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

/** Seconds after which a caller should try again; the store's circuit breaker lets a trial call through after one. */
const RETRY_AFTER = { 'Retry-After': '1' }

/** The only mapping from failures to answers. Bearer challenges follow RFC 6750 section 3. */
export function toWire(failure: Failure): Wire {
  switch (failure.reason) {
    case 'malformed':
    case 'foreign':
      return { status: 401, code: 'refresh_invalid', title: 'The refresh token is not valid.' }
    case 'expired':
      return { status: 401, code: 'session_expired', title: 'The session has expired: sign in again.' }
    case 'superseded':
      return { status: 401, code: 'session_superseded', title: 'A newer sign-in ended this session.' }
    case 'unknown':
      return { status: 401, code: 'session_unknown', title: 'There is no such session: sign in again.' }
    case 'reused':
      return {
        status: 401,
        code: 'refresh_reused',
        title: 'The refresh token had been used before. The session was ended to protect it.',
      }
    case 'bad_request':
      return { status: 400, code: 'bad_request', title: 'The request is not well formed.', detail: failure.detail }
    case 'token_in_query':
      return { status: 400, code: 'token_in_query', title: 'Tokens are not accepted in the query string.' }
    case 'client_unknown':
      return { status: 400, code: 'unknown_client', title: 'No client is registered under this client_id.' }
    case 'client_not_allowed':
      return { status: 403, code: 'client_not_allowed', title: 'This client may not make this call.' }
    case 'client_unauthenticated':
      return {
        status: 401,
        code: 'invalid_client',
        title: 'The client is unknown, or did not authenticate as it must.',
        headers: { 'WWW-Authenticate': 'Basic realm="latchkey", charset="UTF-8"' },
      }
    case 'grant_unsupported':
      return { status: 400, code: 'unsupported_grant_type', title: 'The only grant is refresh_token.' }
    case 'scope_refused':
      return { status: 400, code: 'invalid_scope', title: 'This scope cannot be had.', detail: failure.detail }
    case 'credentials_wrong':
      return { status: 401, code: 'invalid_credentials', title: 'The username or the password is wrong.' }
    case 'too_many_attempts':
      return {
        status: 429,
        code: 'too_many_attempts',
        title: 'Too many attempts went wrong: wait before the next one.',
        headers: { 'Retry-After': String(failure.retryAfterSeconds) },
      }
    case 'token_missing':
      return {
        status: 401,
        code: 'token_missing',
        title: 'An access token is needed.',
        headers: { 'WWW-Authenticate': 'Bearer' },
      }
    case 'token_invalid':
      return {
        status: 401,
        code: 'invalid_token',
        title: 'The access token is not valid.',
        headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
      }
    case 'origin_foreign':
      return { status: 403, code: 'origin_not_allowed', title: 'This origin may not make this call.' }
    case 'registration_closed':
      return { status: 403, code: 'registration_closed', title: 'Registration is closed.' }
    case 'not_found':
      return { status: 404, code: 'not_found', title: 'There is nothing at this address.' }
    case 'method_not_allowed':
      return {
        status: 405,
        code: 'method_not_allowed',
        title: 'This address does not take this method.',
        headers: { Allow: failure.allow },
      }
    case 'username_taken':
      return { status: 409, code: 'username_taken', title: 'This username is taken.' }
    case 'username_rejected':
      return { status: 422, code: 'username_rejected', title: 'This username cannot be used.', detail: failure.detail }
    case 'password_rejected':
      return { status: 422, code: 'password_rejected', title: 'This password cannot be used.', detail: failure.detail }
    case 'body_too_large':
      return { status: 413, code: 'body_too_large', title: 'The request body is too large.' }
    case 'not_json':
      return { status: 415, code: 'unsupported_media_type', title: 'The body must be application/json.' }
    case 'not_form':
      return {
        status: 415,
        code: 'unsupported_media_type',
        title: 'The body must be application/x-www-form-urlencoded.',
      }
    case 'unavailable':
      return {
        status: 503,
        code: 'store_unavailable',
        title: 'The session store cannot be reached: try again.',
        headers: RETRY_AFTER,
      }
    case 'overloaded':
      return {
        status: 503,
        code: 'overloaded',
        title: 'Too many sign-ins are being worked on: try again.',
        headers: RETRY_AFTER,
      }
    case 'not_ready':
      return {
        status: 503,
        code: 'not_ready',
        title: 'The service is not ready.',
        missing: failure.missing,
        headers: RETRY_AFTER,
      }
    case 'misconfigured':
      return { status: 500, code: 'misconfigured', title: 'The service is not configured. Its log says what is wrong.' }
    case 'internal':
      return { status: 500, code: 'internal', title: 'Something went wrong. The request id names it in the log.' }
    default:
      return failure satisfies never
  }
}

/** An answer of the `/oauth` endpoints, whose errors are those of RFC 6749 section 5.2. */
export type OAuthWire = Pick<Wire, 'status' | 'headers'> & { readonly error: string; readonly description: string }

/** What OAuth has a word for. */
const oauthErrors: Partial<Record<Failure['reason'], string>> = {
  malformed: 'invalid_grant',
  foreign: 'invalid_grant',
  expired: 'invalid_grant',
  superseded: 'invalid_grant',
  unknown: 'invalid_grant',
  reused: 'invalid_grant',
  client_unauthenticated: 'invalid_client',
  client_not_allowed: 'unauthorized_client',
  grant_unsupported: 'unsupported_grant_type',
  scope_refused: 'invalid_scope',
  internal: 'server_error',
}

/** The same failures in OAuth's few words; a client that did not authenticate is the only 401. */
export function toOAuthWire(failure: Failure): OAuthWire {
  const { status, headers = {}, title, detail } = toWire(failure)
  const error = oauthErrors[failure.reason] ?? (status === 503 ? 'temporarily_unavailable' : 'invalid_request')
  const keepsStatus = error === 'invalid_client' || ![401, 403, 415].includes(status)
  return { status: keepsStatus ? status : 400, error, description: detail ?? title, headers }
}
