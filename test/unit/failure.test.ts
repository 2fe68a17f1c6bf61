import { describe, expect, it } from 'vitest'
import { toOAuthWire, toWire, type Failure } from '../../src/failure.ts'

/** One of each, so that a new reason without a place here does not compile. */
const every: { [R in Failure['reason']]: Extract<Failure, { reason: R }> } = {
  malformed: { reason: 'malformed' },
  foreign: { reason: 'foreign' },
  expired: { reason: 'expired' },
  superseded: { reason: 'superseded' },
  unknown: { reason: 'unknown' },
  reused: { reason: 'reused' },
  bad_request: { reason: 'bad_request', detail: 'd' },
  token_in_query: { reason: 'token_in_query' },
  client_unknown: { reason: 'client_unknown' },
  client_not_allowed: { reason: 'client_not_allowed' },
  client_unauthenticated: { reason: 'client_unauthenticated' },
  grant_unsupported: { reason: 'grant_unsupported' },
  scope_refused: { reason: 'scope_refused', detail: 'd' },
  credentials_wrong: { reason: 'credentials_wrong' },
  too_many_attempts: { reason: 'too_many_attempts', retryAfterSeconds: 3 },
  token_missing: { reason: 'token_missing' },
  token_invalid: { reason: 'token_invalid' },
  forbidden: { reason: 'forbidden' },
  own_account: { reason: 'own_account' },
  origin_foreign: { reason: 'origin_foreign' },
  registration_closed: { reason: 'registration_closed' },
  not_found: { reason: 'not_found' },
  method_not_allowed: { reason: 'method_not_allowed', allow: 'POST' },
  username_taken: { reason: 'username_taken' },
  username_rejected: { reason: 'username_rejected', detail: 'd' },
  password_rejected: { reason: 'password_rejected', detail: 'd' },
  body_too_large: { reason: 'body_too_large' },
  not_json: { reason: 'not_json' },
  not_form: { reason: 'not_form' },
  unavailable: { reason: 'unavailable' },
  overloaded: { reason: 'overloaded' },
  not_ready: { reason: 'not_ready', missing: ['store'] },
  misconfigured: { reason: 'misconfigured' },
  internal: { reason: 'internal' },
}

describe('a failure on the wire', () => {
  it('says 503 for what is the service’s fault and passes, with the time to try again', () => {
    const temporary = Object.values(every).filter((failure) => toWire(failure).status === 503)
    expect(temporary.map(({ reason }) => reason)).toEqual(['unavailable', 'overloaded', 'not_ready'])
    for (const failure of temporary) expect(toWire(failure).headers).toEqual({ 'Retry-After': '1' })
  })

  it('has a code of its own, but for those that must not be told apart', () => {
    const codes = Object.values(every).map((failure) => toWire(failure).code)
    const shared = codes.filter((code, i) => codes.indexOf(code) !== i)
    expect(shared).toEqual(['refresh_invalid', 'unsupported_media_type'])
  })

  it('is one of OAuth’s own errors at its endpoints', () => {
    const errors = new Set(Object.values(every).map((failure) => toOAuthWire(failure).error))
    expect([...errors].toSorted()).toEqual([
      'invalid_client',
      'invalid_grant',
      'invalid_request',
      'invalid_scope',
      'server_error',
      'temporarily_unavailable',
      'unauthorized_client',
      'unsupported_grant_type',
    ])
  })
})
