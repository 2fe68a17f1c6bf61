import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHistory, writeLine, type History, type HistoryLine, type Operation } from '../history.ts'
import { check } from './check.ts'
import type { Rule } from './finding.ts'
import { runLine, validHistory } from './valid-history.ts'

/** An operation of user `u` that the service answered in 50 ms. */
function operation(kind: Operation['kind'], id: number, more: Partial<Operation>): Operation {
  const startMs = more.startMs ?? id * 100
  return {
    line: 'operation',
    id,
    kind,
    user: 'u',
    client: 'u/0',
    as: 'owner',
    byService: true,
    startMs,
    endMs: startMs + 50,
    ...more,
  }
}

const login = (id: number, sid: string) =>
  operation('login', id, { status: 200, gained: { sid, jti: `jti of ${sid}`, kid: 'k', generation: 0 } })
const yes = (id: number, sid: string, more: Partial<Operation> = {}) =>
  operation('verify', id, { sid, jti: `jti of ${sid}`, status: 204, check: 'live', ...more })
const refreshed = (id: number, sid: string, generation: number, more: Partial<Operation> = {}) =>
  operation('refresh', id, {
    sid,
    generation,
    status: 200,
    gained: { sid, jti: `jti of ${sid}`, kid: 'k', generation: generation + 1 },
    ...more,
  })
const refused = (id: number, sid: string, code: string, more: Partial<Operation> = {}) =>
  operation('refresh', id, { sid, generation: 0, status: 401, code, ...more })
const logout = (id: number, sid: string, more: Partial<Operation> = {}) =>
  operation('logout', id, { sid, status: 204, ...more })

const fault = (
  kind: Extract<HistoryLine, { line: 'fault' }>['kind'],
  [beginMs, endMs]: readonly [number, number],
  more: Partial<Extract<HistoryLine, { line: 'fault' }>> = {},
): HistoryLine[] => [
  { line: 'fault', id: 7, kind, phase: 'begin', atMs: beginMs, ...more },
  { line: 'fault', id: 7, kind, phase: 'end', atMs: endMs, ...more },
]

/** Answers may be 503 for as long as this lasts. */
const slow: HistoryLine = { line: 'fault', id: 2, kind: 'replies-delayed', phase: 'begin', atMs: 0 }

/** The rules that a history breaks, each with the ids of the operations that show it. */
function broken(...lines: readonly (HistoryLine | readonly HistoryLine[])[]): [Rule, number[]][] {
  const history: History = [runLine, slow, ...lines.flat()]
  return check(history).violations.map(({ rule, operations }) => [rule, operations.map(({ id }) => id)])
}

describe('a right history', () => {
  it('is never refuted', () => {
    fc.assert(
      fc.property(validHistory({ failover: false }), (history) => {
        const { violations, lost } = check(history)
        expect(violations).toEqual([])
        expect(lost).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  it('is never refuted when a failover loses writes, and the losses are shown', () => {
    let losses = 0
    fc.assert(
      fc.property(validHistory({ failover: true }), (history) => {
        const { violations, lost } = check(history)
        expect(violations).toEqual([])
        losses += lost.length
      }),
      { numRuns: 2000 },
    )
    expect(losses).toBeGreaterThan(0)
  })

  it('is the same after it was written and read', () => {
    fc.assert(
      fc.property(validHistory({ failover: true }), (history) => {
        expect(parseHistory(history.map(writeLine).join(''))).toEqual(history)
      }),
    )
  })

  it('with a yes added for each session that had ended is refuted', () => {
    let planted = 0
    fc.assert(
      fc.property(validHistory({ failover: false }), (history) => {
        const operations = history.filter((line) => line.line === 'operation')
        const end = operations.find(({ kind, status }) => kind === 'logout' && status === 204)
        const sid = end?.sid
        if (!end || sid === undefined) return
        planted++
        const late = operation('verify-fresh', 999, { sid, jti: 'j', status: 204, startMs: end.endMs + 1 })
        const rules = check([...history, late]).violations.map(({ rule }) => rule)
        expect(rules).toContain('accepted-after-end')
      }),
      { numRuns: 500 },
    )
    expect(planted).toBeGreaterThan(50)
  })
})

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

describe('a failover', () => {
  const killed = fault('primary-killed', [1000, 3000])

  it('explains a write that was lost, which is then shown as such', () => {
    const comesBack = [runLine, ...killed, login(1, 'a'), logout(9, 'a'), yes(20, 'a')]
    const { violations, lost } = check(comesBack)
    expect(violations).toEqual([])
    expect(lost).toMatchObject([{ rule: 'accepted-after-end', lostBy: { kind: 'primary-killed' } }])
    const older = check([
      runLine,
      ...killed,
      login(1, 'a'),
      login(9, 'b'),
      yes(20, 'a'),
      refused(21, 'b', 'session_superseded'),
    ])
    expect(older.violations).toEqual([])
    expect(older.lost.map(({ rule }) => rule)).toEqual(['two-sessions', 'false-logout'])
    expect(older.falseLogouts).toBe(0)
  })

  it('explains neither what was missed before it, nor what was acknowledged long before or after it', () => {
    expect(broken(killed, login(1, 'a'), logout(2, 'a'), yes(5, 'a'))).toEqual([['accepted-after-end', [2, 5]]])
    const late = fault('primary-killed', [5000, 6000])
    expect(broken(late, login(1, 'a'), logout(2, 'a'), yes(70, 'a'))).toEqual([['accepted-after-end', [2, 70]]])
    expect(broken(killed, login(1, 'a'), logout(40, 'a'), yes(70, 'a'))).toEqual([['accepted-after-end', [40, 70]]])
  })

  it('is also one when a restarted Redis found another in its place', () => {
    const restarted = (failover: boolean) => fault('redis-restarted', [1000, 3000], { failover })
    expect(broken(restarted(true), login(1, 'a'), logout(9, 'a'), yes(20, 'a'))).toEqual([])
    expect(broken(restarted(false), login(1, 'a'), logout(9, 'a'), yes(20, 'a'))).toHaveLength(1)
  })
})

describe('an answer', () => {
  it('is a yes or a token only where the store can have given one', () => {
    for (const kind of ['bridge-hung', 'replies-lost', 'connections-refused'] as const) {
      const away = fault(kind, [150, 60_000])
      expect(broken(login(1, 'a'), away, yes(2, 'a'))).toEqual([['yes-without-store', [2]]])
      expect(broken(login(1, 'a'), away, refreshed(2, 'a', 0))).toEqual([['yes-without-store', [2]]])
      expect(broken(away, login(2, 'a'))).toEqual([['yes-without-store', [2]]])
      expect(broken(login(1, 'a'), away, yes(2, 'a', { check: 'cached' }))).toEqual([])
      expect(broken(login(1, 'a'), away, yes(2, 'a', { check: 'stale', startMs: 30_000 }))).toEqual([])
      const tooStale = yes(2, 'a', { check: 'stale', startMs: 31_000 })
      expect(broken(login(1, 'a'), away, tooStale)).toEqual([['yes-without-store', [2]]])
    }
  })

  it('is never yes to a token that was never issued', () => {
    expect(broken(login(1, 'a'), yes(2, 'a', { jti: 'made up', as: 'forger' }))).toEqual([['never-issued', [2]]])
  })

  it('is 503 with Retry-After if it is a 5xx', () => {
    expect(broken(operation('login', 1, { status: 500 }))).toEqual([['bad-5xx', [1]]])
    expect(broken(operation('login', 1, { status: 503 }))).toEqual([['bad-5xx', [1]]])
    expect(broken(operation('login', 1, { status: 503, retryAfter: '1' }))).toEqual([])
    expect(broken(operation('login', 1, { status: 401 }))).toEqual([['unexpected-answer', [1]]])
  })

  it('says that the store is away only when it is, or was a moment ago', () => {
    const away = operation('verify', 100, { status: 503, retryAfter: '1', code: 'store_unavailable' })
    const rules = (lines: readonly HistoryLine[]) => check([runLine, ...lines]).violations.map(({ rule }) => rule)
    expect(rules([away])).toEqual(['unexplained-503'])
    expect(rules([...fault('bridge-hung', [5000, 6000]), away])).toEqual(['unexplained-503'])
    expect(rules([...fault('bridge-hung', [5000, 8000]), away])).toEqual([])
    expect(rules([...fault('server-killed', [5000, 20_000]), away])).toEqual(['unexplained-503'])
    expect(rules([{ ...away, code: 'overloaded' }])).toEqual([])
  })

  it('comes within its bound', () => {
    expect(broken(operation('logout', 1, { sid: 'a', status: 204, endMs: 4101 }))).toEqual([['too-late', [1]]])
  })

  it('fails to come only when a server died, and then one retry gets it', () => {
    const none = (id: number, more: Partial<Operation> = {}) => {
      const { byService: _, ...rest } = operation('logout', id, { sid: 'a', ...more })
      return rest
    }
    expect(broken(none(1))).toEqual([['unexplained-interruption', [1]]])
    expect(broken({ ...none(1), status: 502 })).toEqual([['unexplained-interruption', [1]]])
    const killed = fault('server-killed', [50, 4000], { target: 'server-1' })
    expect(broken(killed, none(1), logout(2, 'a', { retryOf: 1 }))).toEqual([])
    expect(broken(killed, none(1), none(2, { retryOf: 1 }))).toEqual([['not-cured-by-one-retry', [1, 2]]])
    const another = fault('server-killed', [60, 4000], { target: 'server-2', id: 8 })
    expect(broken(killed, another, none(1), none(2, { retryOf: 1 }))).toEqual([])
  })
})
