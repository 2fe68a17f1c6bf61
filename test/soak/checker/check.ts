/** Reads a history and says what it proves. A pure function: the same history, the same report. */
import { faultKinds, type FaultKind, type History, type Operation } from '../history.ts'
import { checkAnswers, isInterrupted, isLate, isUnexplained503 } from './answers.ts'
import type { Finding } from './finding.ts'
import { checkRefusals } from './refusals.ts'
import { checkSessions } from './sessions.ts'
import { readTimeline, type Timeline } from './timeline.ts'

export interface Report {
  readonly run: Timeline['run']
  readonly operations: number
  readonly byKind: Readonly<Record<string, number>>
  /** By status and code, as in `401 session_superseded`. */
  readonly refreshes: Readonly<Record<string, number>>
  /** What the servers logged of refreshes, as in `recovered`. */
  readonly turns: Readonly<Record<string, number>>
  readonly falseLogouts: number
  readonly falseLogoutsPer10000: number
  readonly faults: readonly { readonly kind: FaultKind; readonly times: number; readonly totalMs: number }[]
  readonly violations: readonly Finding[]
  /** Acknowledged writes that a failover lost, each with what shows it. */
  readonly lost: readonly Finding[]
  readonly recovered: number
  /** Keys that signed tokens. */
  readonly signingKeys: number
  /** Requests without an answer of the service, and how many of those had one when they were repeated once. */
  readonly interruptions: { readonly all: number; readonly repeated: number; readonly cured: number }
  /** The longest time from a primary's end to the next write that was acknowledged. */
  readonly failoverMs: number | undefined
  readonly slowestMs: number
  readonly slowestHashedMs: number
  /** Answers later than their bound, whether a standstill of the machine excuses them or not. */
  readonly late: number
  readonly unavailableShare: number
  /** Answers of 503 while no fault was under way. */
  readonly unexplained503: number
}

export function check(history: History): Report {
  const timeline = readTimeline(history)
  const { operations, run } = timeline
  const findings = [...checkSessions(timeline), ...checkRefusals(timeline), ...checkAnswers(timeline)]
  const violations = findings.filter(({ lostBy }) => !lostBy)
  const refreshes = operations.filter(({ kind }) => kind === 'refresh')
  const falseLogouts = violations.filter(({ rule }) => rule === 'false-logout').length
  const turns = count(
    timeline.events
      .filter(({ event }) => event.startsWith('refresh.'))
      .map(({ event, detail }) => (event === 'refresh.refused' ? (detail ?? 'refused') : event.slice(8))),
  )
  return {
    run,
    operations: operations.length,
    byKind: count(operations.map(({ kind }) => kind)),
    refreshes: count(refreshes.map(describeAnswer)),
    turns,
    falseLogouts,
    falseLogoutsPer10000: (falseLogouts * 10_000) / Math.max(1, refreshes.length),
    faults: readFaultTotals(timeline),
    violations,
    lost: findings.filter(({ lostBy }) => lostBy),
    recovered: turns['recovered'] ?? 0,
    signingKeys: new Set(operations.flatMap(({ gained }) => gained?.kid ?? [])).size,
    interruptions: readInterruptions(operations),
    failoverMs: readFailoverMs(timeline),
    slowestMs: slowest(operations.filter(({ kind }) => kind !== 'login')),
    slowestHashedMs: slowest(operations.filter(({ kind }) => kind === 'login')),
    late: operations.filter((operation) => isLate(timeline, operation)).length,
    unexplained503: operations.filter((operation) => isUnexplained503(timeline, operation)).length,
    unavailableShare: operations.filter(({ status }) => status === 503).length / Math.max(1, operations.length),
  }
}

function describeAnswer({ status, code }: Operation): string {
  return status === undefined ? 'no answer' : `${status}${code === undefined ? '' : ` ${code}`}`
}

function readInterruptions(operations: readonly Operation[]): Report['interruptions'] {
  const broken = new Set(operations.filter(isInterrupted).map(({ id }) => id))
  const repeats = operations.filter(({ id, retryOf }) => retryOf !== undefined && broken.has(retryOf) && retryOf !== id)
  return { all: broken.size, repeated: repeats.length, cured: repeats.filter((one) => !isInterrupted(one)).length }
}

function slowest(operations: readonly Operation[]): number {
  return operations.reduce((most, { startMs, endMs }) => Math.max(most, endMs - startMs), 0)
}

function count(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

function readFaultTotals({ faults }: Timeline): Report['faults'] {
  return faultKinds.map((kind) => {
    const ofKind = faults.filter((fault) => fault.kind === kind && Number.isFinite(fault.endMs))
    return { kind, times: ofKind.length, totalMs: ofKind.reduce((sum, { beginMs, endMs }) => sum + endMs - beginMs, 0) }
  })
}

/** Whoever kills it takes a moment to say so: a write that began in that moment may have been the last one before. */
const KILL_MS = 200

function readFailoverMs({ faults, operations }: Timeline): number | undefined {
  const writes = operations.filter(({ kind, status }) => status === 200 && (kind === 'refresh' || kind === 'login'))
  const kills = faults.filter(({ kind }) => kind === 'primary-killed')
  const gaps = kills.flatMap(({ beginMs }) => {
    const later = writes.filter(({ startMs }) => startMs > beginMs + KILL_MS).map(({ endMs }) => endMs)
    return later.length > 0 ? [later.reduce((a, b) => Math.min(a, b)) - beginMs] : []
  })
  return gaps.length > 0 ? Math.max(...gaps) : undefined
}
