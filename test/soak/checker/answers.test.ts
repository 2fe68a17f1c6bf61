import { describe, expect, it } from 'vitest'
import type { HistoryLine, Operation } from '../history.ts'
import { check } from './check.ts'
import { broken, fault, login, logout, operation, refreshed, refused, yes } from './operations.ts'
import { runLine } from './valid-history.ts'

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
    // An answer may have been on its way.
    expect(broken(killed, login(1, 'a'), logout(25, 'a'), yes(40, 'a'))).toEqual([])
  })

  it('explains neither what was missed before it, nor what was acknowledged long before or after it', () => {
    expect(broken(killed, login(1, 'a'), logout(2, 'a'), yes(5, 'a'))).toEqual([['accepted-after-end', [2, 5]]])
    const twice = [yes(5, 'a'), yes(20, 'a')]
    expect(broken(killed, login(1, 'a'), login(3, 'b'), twice)).toEqual([['two-sessions', [1, 3, 5]]])
    // While the old primary is down, the new one loses nothing.
    const long = fault('primary-killed', [1000, 9000])
    expect(broken(long, login(1, 'a'), logout(40, 'a'), yes(70, 'a'))).toEqual([['accepted-after-end', [40, 70]]])
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
    const counted = (lines: readonly HistoryLine[]) => check([runLine, ...lines]).unexplained503
    expect(counted([away])).toBe(1)
    expect(counted([...fault('bridge-hung', [5000, 6000]), away])).toBe(1)
    expect(counted([...fault('bridge-hung', [5000, 8000]), away])).toBe(0)
    expect(counted([...fault('server-killed', [5000, 20_000]), away])).toBe(1)
    expect(counted([{ ...away, code: 'overloaded' }])).toBe(0)
  })

  it('comes within its bound', () => {
    expect(broken(operation('logout', 1, { sid: 'a', status: 204, endMs: 4101 }))).toEqual([['too-late', [1]]])
  })

  it('may be later by as much as the machine stood still meanwhile', () => {
    const late = operation('logout', 1, { sid: 'a', status: 204, endMs: 4401 })
    expect(broken(fault('standstill', [3000, 3301]), late)).toEqual([])
    expect(broken(fault('standstill', [3000, 3300]), late)).toEqual([['too-late', [1]]])
    expect(broken(fault('standstill', [4200, 9000]), late)).toEqual([['too-late', [1]]])
    expect(broken(fault('bridge-hung', [0, 9000]), late)).toEqual([['too-late', [1]]])
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
