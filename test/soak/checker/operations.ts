/** Single operations and faults, from which the checker's tests put histories together by hand. */
import type { History, HistoryLine, Operation } from '../history.ts'
import { check } from './check.ts'
import type { Rule } from './finding.ts'
import { runLine } from './valid-history.ts'

/** An operation of user `u` that the service answered in 50 ms. */
export function operation(kind: Operation['kind'], id: number, more: Partial<Operation>): Operation {
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

export const login = (id: number, sid: string) =>
  operation('login', id, { status: 200, gained: { sid, jti: `jti of ${sid}`, kid: 'k', generation: 0 } })
export const yes = (id: number, sid: string, more: Partial<Operation> = {}) =>
  operation('verify', id, { sid, jti: `jti of ${sid}`, status: 204, check: 'live', ...more })
export const refreshed = (id: number, sid: string, generation: number, more: Partial<Operation> = {}) =>
  operation('refresh', id, {
    sid,
    generation,
    status: 200,
    gained: { sid, jti: `jti of ${sid}`, kid: 'k', generation: generation + 1 },
    ...more,
  })
export const refused = (id: number, sid: string, code: string, more: Partial<Operation> = {}) =>
  operation('refresh', id, { sid, generation: 0, status: 401, code, ...more })
export const logout = (id: number, sid: string, more: Partial<Operation> = {}) =>
  operation('logout', id, { sid, status: 204, ...more })

export const fault = (
  kind: Extract<HistoryLine, { line: 'fault' }>['kind'],
  [beginMs, endMs]: readonly [number, number],
  more: Partial<Extract<HistoryLine, { line: 'fault' }>> = {},
): HistoryLine[] => [
  { line: 'fault', id: 7, kind, phase: 'begin', atMs: beginMs, ...more },
  { line: 'fault', id: 7, kind, phase: 'end', atMs: endMs, ...more },
]

/** The rules that a history breaks, each with the ids of the operations that show it. */
export function broken(...lines: readonly (HistoryLine | readonly HistoryLine[])[]): [Rule, number[]][] {
  const history: History = [runLine, ...lines.flat()]
  return check(history).violations.map(({ rule, operations }) => [rule, operations.map(({ id }) => id)])
}
