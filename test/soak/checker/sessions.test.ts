import { describe, expect, it } from 'vitest'
import { check } from './check.ts'
import { broken, fault, login, logout, operation, refreshed, refused, yes } from './operations.ts'
import { runLine } from './valid-history.ts'

describe('one live session for each user', () => {
  it('catches the older session accepted after a newer sign-in had returned', () => {
    expect(broken(login(1, 'a'), login(2, 'b'), yes(3, 'a'))).toEqual([['two-sessions', [1, 2, 3]]])
    expect(broken(login(1, 'a'), login(2, 'b'), refreshed(3, 'a', 0))).toEqual([['two-sessions', [1, 2, 3]]])
    const introspected = operation('introspect', 3, { sid: 'a', jti: 'jti of a', status: 200, active: true })
    expect(broken(login(1, 'a'), login(2, 'b'), introspected)).toEqual([['two-sessions', [1, 2, 3]]])
  })

  it('catches two sessions that take turns', () => {
    const both = [
      operation('login', 1, { ...login(1, 'a'), endMs: 400 }),
      operation('login', 2, { ...login(2, 'b'), endMs: 400 }),
    ]
    expect(broken(both, yes(5, 'a'), yes(6, 'a'))).toEqual([])
    expect(broken(both, yes(5, 'a'), yes(6, 'b'))).toEqual([['two-sessions', [1, 2, 5, 6]]])
  })

  it('lets the older one pass while the sign-in is under way, or for as long as memory may last', () => {
    const late = operation('login', 2, { ...login(2, 'b'), endMs: 500 })
    expect(broken(login(1, 'a'), late, yes(4, 'a'))).toEqual([])
    const remembered = { check: 'cached', startMs: 1200 }
    expect(broken(login(1, 'a'), login(2, 'b'), yes(3, 'a', remembered))).toEqual([])
    const tooOld = { check: 'cached', startMs: 1300 }
    expect(broken(login(1, 'a'), login(2, 'b'), yes(3, 'a', tooOld))).toEqual([['two-sessions', [1, 2, 3]]])
    const tooStale = { check: 'stale', startMs: 30_300 }
    expect(broken(login(1, 'a'), login(2, 'b'), yes(3, 'a', tooStale))).toEqual([['two-sessions', [1, 2, 3]]])
  })

  it('allows memory to last longer on a server whose clock was set back', () => {
    const tooOld = yes(3, 'a', { check: 'cached', startMs: 1300, server: 'server-1' })
    const setBack = fault('clock-off', [1000, 9000], { target: 'server-1', amountMs: -500 })
    expect(broken(setBack, login(1, 'a'), login(2, 'b'), tooOld)).toEqual([])
    const muchLater = yes(3, 'a', { check: 'cached', startMs: 4000, server: 'server-1' })
    const farBack = fault('clock-off', [300, 9000], { target: 'server-1', amountMs: -3000 })
    expect(broken(farBack, login(1, 'a'), login(2, 'b'), muchLater)).toEqual([])
  })
})

describe('a session that has ended', () => {
  it('is caught when it is accepted after its logout', () => {
    expect(broken(login(1, 'a'), logout(2, 'a'), yes(3, 'a'))).toEqual([['accepted-after-end', [2, 3]]])
    expect(broken(login(1, 'a'), logout(2, 'a'), refreshed(3, 'a', 0))).toEqual([['accepted-after-end', [2, 3]]])
  })

  it('may be remembered by other servers for a second, and not by the one that ended it', () => {
    const remembered = (server: string) => yes(3, 'a', { check: 'cached', server })
    const ended = logout(2, 'a', { server: 'server-1' })
    expect(broken(login(1, 'a'), ended, remembered('server-2'))).toEqual([])
    expect(broken(login(1, 'a'), ended, remembered('server-1'))).toEqual([['accepted-after-end', [2, 3]]])
  })

  it('may be accepted while nobody knows whether its logout was done', () => {
    const unanswered = logout(2, 'a', { status: 503, retryAfter: '1' })
    expect(broken(login(1, 'a'), unanswered, yes(3, 'a'))).toEqual([])
  })

  it('is caught when it comes back after reuse, or after its record was lost', () => {
    const thief = refused(2, 'a', 'refresh_reused', { as: 'thief' })
    expect(broken(login(1, 'a'), thief, yes(3, 'a'))).toEqual([['accepted-after-end', [2, 3]]])
    const gone = fault('record-lost', [200, 250], { user: 'u' })
    expect(broken(login(1, 'a'), gone, yes(3, 'a'))).toEqual([['accepted-after-end', [3]]])
  })

  it('takes a revoked access token with it, and not the other way round', () => {
    const revoked = operation('revoke', 2, { sid: 'a', jti: 'jti of a', status: 200 })
    expect(broken(login(1, 'a'), revoked, yes(3, 'a'))).toEqual([['accepted-after-denial', [2, 3]]])
    expect(broken(login(1, 'a'), revoked, refreshed(3, 'a', 0))).toEqual([])
  })

  it('is caught when a token works whose successor had been used', () => {
    const turns = [refreshed(2, 'a', 0), refreshed(3, 'a', 1)]
    expect(broken(login(1, 'a'), turns, refreshed(4, 'a', 0))).toEqual([['old-generation-accepted', [3, 4]]])
    expect(broken(login(1, 'a'), refreshed(2, 'a', 0), refreshed(3, 'a', 0))).toEqual([])
  })
})

describe('a client that follows the rules', () => {
  it('is counted when it is signed out without a cause', () => {
    for (const code of [
      'session_superseded',
      'session_unknown',
      'refresh_reused',
      'session_expired',
      'refresh_invalid',
    ])
      expect(broken(login(1, 'a'), refused(2, 'a', code))).toEqual([['false-logout', [1, 2]]])
    const { falseLogouts, falseLogoutsPer10000 } = check([runLine, login(1, 'a'), refused(2, 'a', 'refresh_invalid')])
    expect({ falseLogouts, falseLogoutsPer10000 }).toEqual({ falseLogouts: 1, falseLogoutsPer10000: 10_000 })
  })

  it('is not when a newer sign-in, its own logout or a thief is the cause, even one without an answer', () => {
    const lost = { status: 503, retryAfter: '1' }
    expect(broken(login(1, 'a'), login(2, 'b'), refused(3, 'a', 'session_superseded'))).toEqual([])
    expect(broken(login(1, 'a'), operation('login', 2, lost), refused(3, 'a', 'session_superseded'))).toEqual([])
    expect(broken(login(1, 'a'), logout(2, 'a', lost), refused(3, 'a', 'session_unknown'))).toEqual([])
    const theft = refused(2, 'a', 'refresh_reused', { as: 'thief' })
    expect(broken(login(1, 'a'), theft, refused(3, 'a', 'refresh_reused'))).toEqual([])
  })

  it('is when the cause was over before its session began', () => {
    const longAgo = operation('login', 1, { status: 503, retryAfter: '1' })
    const history = [longAgo, login(400, 'a'), refused(401, 'a', 'session_superseded')]
    expect(broken(history)).toEqual([['false-logout', [400, 401]]])
    const gone = fault('record-lost', [100, 200], { user: 'u' })
    expect(broken(gone, login(3, 'a'), refused(4, 'a', 'session_unknown'))).toEqual([['false-logout', [3, 4]]])
  })

  it('is when the code does not fit the cause', () => {
    expect(broken(login(1, 'a'), login(2, 'b'), refused(3, 'a', 'refresh_reused'))).toEqual([['false-logout', [1, 3]]])
    expect(broken(login(1, 'a'), login(2, 'b'), refused(3, 'a', 'session_unknown'))).toEqual([['false-logout', [1, 3]]])
  })

  it('has its good tokens accepted', () => {
    const no = operation('verify', 2, { sid: 'a', jti: 'jti of a', status: 401, code: 'invalid_token' })
    expect(broken(login(1, 'a'), no)).toEqual([['good-token-refused', [1, 2]]])
    const inactive = operation('introspect', 2, { sid: 'a', jti: 'jti of a', status: 200, active: false })
    expect(broken(login(1, 'a'), inactive)).toEqual([['good-token-refused', [1, 2]]])
    expect(broken(login(1, 'a'), { ...no, startMs: 299_000, endMs: 299_050 })).toEqual([])
  })
})
