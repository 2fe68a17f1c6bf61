import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseHistory, writeLine, type Operation } from '../history.ts'
import { check } from './check.ts'
import type { Rule } from './finding.ts'
import { operation } from './operations.ts'
import { validHistory } from './valid-history.ts'

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

  it('is refuted when something impossible is planted in it', () => {
    const planted = new Map<Rule, number>()
    /** What contradicts a right history, if it offers the occasion. */
    function plants(operations: readonly Operation[]): [Rule, Operation][] {
      const found: [Rule, Operation][] = []
      const late = (kind: Operation['kind'], after: Operation, more: Partial<Operation>) =>
        operation(kind, 999, { ...more, startMs: after.endMs + 1 })
      const yesTo = (sid: string, after: Operation) => late('verify-fresh', after, { sid, jti: 'j', status: 204 })
      const end = operations.find(({ kind, status }) => kind === 'logout' && status === 204)
      if (end?.sid !== undefined) found.push(['accepted-after-end', yesTo(end.sid, end)])
      const logins = operations.filter(({ gained, kind }) => gained && kind === 'login')
      const older = logins[0]
      const newer = logins.find(({ startMs }) => older && startMs > older.endMs)
      if (older?.gained && newer) found.push(['two-sessions', yesTo(older.gained.sid, newer)])
      if (older?.gained) {
        const { sid } = older.gained
        found.push([
          'false-logout',
          late('refresh', older, { sid, generation: 0, status: 401, code: 'refresh_invalid' }),
        ])
        found.push(['never-issued', yesTo(sid, older)], ['bad-5xx', late('refresh', older, { sid, status: 500 })])
      }
      const denial = operations.find(({ kind, status }) => kind === 'revoke' && status === 200)
      if (denial?.jti !== undefined)
        found.push(['accepted-after-denial', { ...yesTo(denial.sid ?? '', denial), jti: denial.jti }])
      return found
    }
    fc.assert(
      fc.property(validHistory({ failover: false }), (history) => {
        for (const [rule, plant] of plants(history.filter((line) => line.line === 'operation'))) {
          planted.set(rule, (planted.get(rule) ?? 0) + 1)
          const finding = check([...history, plant]).violations.find((one) => one.rule === rule)
          expect(finding?.operations.map(({ id }) => id)).toContain(999)
        }
      }),
      { numRuns: 500 },
    )
    expect(planted.size).toBe(6)
    for (const times of planted.values()) expect(times).toBeGreaterThan(20)
  })
})
