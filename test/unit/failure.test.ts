import { describe, expect, it } from 'vitest'
import { toOAuthWire, toWire } from '../../src/failure.ts'
import { failureExamples } from '../../src/failure-examples.ts'

const every = Object.values(failureExamples)

describe('a failure on the wire', () => {
  it('says 503 for what is the service’s fault and passes, with the time to try again', () => {
    const temporary = every.filter((failure) => toWire(failure).status === 503)
    expect(temporary.map(({ reason }) => reason)).toEqual(['unavailable', 'overloaded', 'not_ready'])
    for (const failure of temporary) expect(toWire(failure).headers).toEqual({ 'Retry-After': '1' })
  })

  it('has a code of its own, but for those that must not be told apart', () => {
    const codes = every.map((failure) => toWire(failure).code)
    const shared = codes.filter((code, i) => codes.indexOf(code) !== i)
    expect(shared).toEqual(['refresh_invalid', 'unsupported_media_type'])
  })

  it('is one of OAuth’s own errors at its endpoints', () => {
    const errors = new Set(every.map((failure) => toOAuthWire(failure).error))
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
