/** What was counted and weighed, as tables. */
import { refreshCounts, type OperationCost, type SessionCost } from './cost.ts'
import type { Growth } from './growth.ts'
import type { Profile } from './profile.ts'
import type { Price } from './price.ts'
import { describeSpread, spreadOf, type TextTable } from './tables.ts'
import type { WorkerCost } from './worker-cost.ts'

const whole = (value: number) => Math.round(value).toLocaleString('en')
const short = (value: number) => String(Number(value.toFixed(1)))
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
const kilobytes = (bytes: number) => `${whole(bytes / 1000)} kB`

export function operationsTable(costs: readonly OperationCost[]): TextTable {
  return {
    title: 'Cost of one operation in the store',
    head: ['what', 'commands', 'which', 'bytes in', 'bytes out'],
    rows: costs.map(({ name, commands, which, bytesIn, bytesOut }) => [
      name,
      short(commands),
      which,
      whole(bytesIn),
      whole(bytesOut),
    ]),
  }
}

export function sessionsTable(costs: readonly SessionCost[]): TextTable {
  return {
    title: 'Bytes of one session in Redis, by the number of its refreshes',
    head: ['system', ...refreshCounts.map((count) => `after ${count.toLocaleString('en')}`)],
    rows: costs.map(({ system, bytes }) => [system, ...refreshCounts.map((count) => whole(bytes.get(count) ?? 0))]),
  }
}

export function pricesTable(prices: readonly Price[]): TextTable {
  return {
    title: 'A million users a month at Upstash',
    head: ['what', 'commands', 'dollars a month'],
    rows: prices.map(({ system, commands, dollars }) => [system, `${whole(commands / 1e6)} million`, whole(dollars)]),
  }
}

export function profilesTable(profiles: readonly Profile[]): TextTable {
  const most = new Map<string, number>()
  for (const [owner, share] of profiles.flatMap(({ shares }) => [...shares]))
    most.set(owner, Math.max(most.get(owner) ?? 0, share))
  const owners = [...most.keys()].toSorted((a, b) => (most.get(b) ?? 0) - (most.get(a) ?? 0))
  const percent = (share = 0) => (share < 0.0005 ? '' : (share * 100).toFixed(1))
  return {
    title: 'Where the time of a call goes in workerd',
    head: ['whose code', ...profiles.map(({ name }) => name.replace('profiled: ', ''))],
    rows: owners
      .filter((owner) => (most.get(owner) ?? 0) >= 0.001)
      .map((owner) => [owner].concat(profiles.map(({ shares }) => percent(shares.get(owner))))),
  }
}

export function workerTable(cost: WorkerCost): TextTable {
  const ratios = cost.startMs.flatMap((ms, round) => {
    const bare = cost.bareStartMs[round]
    return bare === undefined ? [] : [ms / bare]
  })
  const ms = (value: number) => `${Math.round(value)} ms`
  return {
    title: 'The Worker, beside one with a bare Hono handler',
    head: ['what', 'Latchkey', 'bare'],
    rows: [
      ['bundle, all modules', kilobytes(cost.bundleBytes), ''],
      ['bundle, gzip', kilobytes(cost.gzipBytes), ''],
      [
        'workerd started to first answer',
        describeSpread(spreadOf(cost.startMs), ms),
        describeSpread(spreadOf(cost.bareStartMs), ms),
      ],
      ['ratio of the two', describeSpread(spreadOf(ratios), (value) => value.toFixed(2)), ''],
      ['memory of the process, one isolate: started', megabytes(cost.idleBytes), megabytes(cost.bareBytes)],
      ['after 5,000 checks', megabytes(cost.busyBytes), ''],
      ['after a sign-in, which hashes a password', megabytes(cost.hashedBytes), ''],
    ],
  }
}

export function memoryTable({ sizes }: Growth): TextTable {
  return {
    title: 'Growth: memory of Redis',
    head: ['sessions', 'memory', 'bytes a session, all in all'],
    rows: sizes.map(({ sessions, bytes }) => [
      sessions.toLocaleString('en'),
      megabytes(bytes),
      whole(bytes / sessions),
    ]),
  }
}
