/** A report as people read it. */
import Table from 'cli-table3'
import type { Report } from './checker/check.ts'
import type { Finding } from './checker/finding.ts'
import type { Operation } from './history.ts'

/** How many findings are shown with their operations; the rest is counted. */
const SHOWN_LIMIT = 20

export function describeReport(report: Report): string {
  const { run, violations, lost } = report
  const table = new Table({ style: { head: [], border: [] } })
  for (const [name, value] of rowsOf(report)) table.push([name, value])
  const rules = Object.entries(Object.groupBy(violations, ({ rule }) => rule))
  const byRule = rules.map(([rule, { length }]) => `${rule}: ${length}`).join(', ')
  const verdict = violations.length === 0 ? 'No violation.' : `${violations.length} violations. ${byRule}`
  return [
    `Soak of ${run.minutes} minutes, seed ${run.seed}, ${run.users} users`,
    table.toString(),
    ...(lost.length > 0 ? [`Acknowledged writes that a failover lost (no violations):`, ...describeAll(lost)] : []),
    ...describeAll(violations),
    verdict,
  ].join('\n')
}

function rowsOf(report: Report): [string, string][] {
  const { run, faults, turns, interruptions: broken, violations } = report
  const count = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .toSorted(([, a], [, b]) => b - a)
      .map(([name, times]) => `${name}: ${times}`)
      .join('\n')
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  return [
    ['operations', `${report.operations}\n${count(report.byKind)}`],
    ['refreshes by answer', count(report.refreshes)],
    ['refreshes by outcome, as logged', count(turns)],
    ['false logouts', `${report.falseLogouts}, or ${report.falseLogoutsPer10000.toFixed(2)} per 10,000 refreshes`],
    ['faults', faults.map(({ kind, times, totalMs }) => `${kind}: ${times}, ${seconds(totalMs)}`).join('\n')],
    ['violations', String(report.violations.length)],
    ['acknowledged writes lost by failovers', String(report.lost.length)],
    ['recovered', String(report.recovered)],
    ['keys that signed', String(report.signingKeys)],
    ['requests broken off', `${broken.all}; ${broken.cured} of ${broken.repeated} cured by the first retry`],
    ['longest until writable after a kill', report.failoverMs === undefined ? '-' : seconds(report.failoverMs)],
    ['slowest answer', `${seconds(report.slowestMs)} (bound ${seconds(run.bounds.answerMs)})`],
    ['slowest sign-in', `${seconds(report.slowestHashedMs)} (bound ${seconds(run.bounds.hashedAnswerMs)})`],
    [
      'answers later than their bound',
      `${report.late}; ${violations.filter(({ rule }) => rule === 'too-late').length} not explained by a standstill`,
    ],
    ['503', `${(report.unavailableShare * 100).toFixed(2)} %; ${report.unexplained503} while no fault was under way`],
  ]
}

function describeAll(findings: readonly Finding[]): string[] {
  const hidden = findings.length - SHOWN_LIMIT
  return [...findings.slice(0, SHOWN_LIMIT).map(describeFinding), ...(hidden > 0 ? [`… and ${hidden} more`] : [])]
}

export function describeFinding({ rule, what, user, operations, lostBy }: Finding): string {
  const loss = lostBy ? `   lost by ${lostBy.kind} at ${Math.round(lostBy.beginMs)} ms` : ''
  return [`- ${rule}, ${user}: ${what}${loss}`, ...operations.map(describeOperation)].join('\n')
}

function describeOperation(operation: Operation): string {
  const { id, client, as, kind, startMs, endMs, status, code, check, server, sid, gained, generation } = operation
  const answer = [status ?? 'no answer', code, check, server].filter((part) => part !== undefined).join(' ')
  const shown = sid === undefined ? '' : ` ${sid}${generation === undefined ? '' : `/${generation}`}`
  const got = gained ? ` gained ${gained.sid}/${gained.generation}` : ''
  return `    ${Math.round(startMs)} to ${Math.round(endMs)} ms  #${id} ${client} (${as}) ${kind}${shown}: ${answer}${got}`
}
