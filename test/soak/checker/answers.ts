/** Rules about answers as such: what may fail and how, how long it may take, and what may never be said. */
import type { FaultKind, Operation } from '../history.ts'
import { finding, type Finding } from './finding.ts'
import { sessionOf, type Timeline } from './timeline.ts'

/** While these last, and for a moment after, the store may seem to be away. */
const outages: ReadonlySet<FaultKind> = new Set([
  'bridge-hung',
  'replies-lost',
  'replies-delayed',
  'connections-refused',
  'redis-restarted',
  'primary-killed',
  'standstill',
])
/** A circuit breaker lets a call through a second after the last one failed, and that one may have been under way before. */
const OUTAGE_GRACE_MS = 3000

/** While these last, no reply of the store reaches any server. */
const absences: ReadonlySet<FaultKind> = new Set(['bridge-hung', 'replies-lost', 'connections-refused'])

/** A balancer notices a dead server, and a client its broken connection, a little later. */
const INTERRUPTION_GRACE_MS = 3000

/** What each request may be answered with, 503 apart. A thief's, ghost's or forger's may also be refused. */
const expected: Readonly<Record<Operation['kind'], readonly number[]>> = {
  login: [200],
  refresh: [200, 401],
  verify: [204, 401],
  'verify-fresh': [204, 401],
  introspect: [200],
  logout: [204],
  revoke: [200],
}

export function checkAnswers(timeline: Timeline): Finding[] {
  const retries = new Map(timeline.operations.map((operation) => [operation.retryOf, operation]))
  const issued = readIssued(timeline)
  return timeline.operations.flatMap((operation) =>
    [
      checkStatus(operation),
      checkTime(timeline, operation),
      checkInterruption(timeline, operation, retries.get(operation.id)),
      checkAbsence(timeline, operation),
      checkIssued(timeline, operation, issued),
    ].flat(),
  )
}

/** Without an answer of the service: none at all, or one that the balancer made up. */
export function isInterrupted({ byService }: Operation): boolean {
  return byService !== true
}

function checkStatus(operation: Operation): Finding[] {
  const { status, retryAfter, kind, code } = operation
  if (status === undefined || isInterrupted(operation)) return []
  const said = `${kind} was answered ${status}${code ? ` ${code}` : ''}`
  if (status === 503 && retryAfter !== undefined) return []
  if (status === 503) return [finding('bad-5xx', `${said} without Retry-After.`, [operation])]
  if (status >= 500) return [finding('bad-5xx', `${said}.`, [operation])]
  return expected[kind].includes(status) ? [] : [finding('unexpected-answer', `${said}.`, [operation])]
}

/**
 * Whether the store is said to be away while no fault explains it. On a busy machine a store call may simply take too long, so
 * these are counted and break no rule. Too many sign-ins at once are another matter.
 */
export function isUnexplained503({ faults }: Timeline, operation: Operation): boolean {
  const { status, code, startMs, endMs } = operation
  if (status !== 503 || isInterrupted(operation) || code === 'overloaded') return false
  return !faults.some(
    (fault) => outages.has(fault.kind) && fault.beginMs <= endMs && fault.endMs + OUTAGE_GRACE_MS >= startMs,
  )
}

/** The bound of an operation's answer: those that hash a password have a longer one. */
function boundMs({ bounds }: Timeline, { kind }: Operation): number {
  return kind === 'login' ? bounds.hashedAnswerMs : bounds.answerMs
}

/** How long the machine stood still between a request and its answer: nobody could answer then. */
function standstillMs({ faults }: Timeline, { startMs, endMs }: Operation): number {
  return faults
    .filter(({ kind }) => kind === 'standstill')
    .reduce((sum, fault) => sum + Math.max(0, Math.min(endMs, fault.endMs) - Math.max(startMs, fault.beginMs)), 0)
}

/** Whether an answer was later than its bound: by no more than the machine had stood still is no violation, and counted. */
export function isLate(timeline: Timeline, operation: Operation): boolean {
  return operation.endMs - operation.startMs > boundMs(timeline, operation)
}

function checkTime(timeline: Timeline, operation: Operation): Finding[] {
  if (!isLate(timeline, operation)) return []
  const tookMs = operation.endMs - operation.startMs
  const limitMs = boundMs(timeline, operation)
  if (tookMs <= limitMs + standstillMs(timeline, operation)) return []
  return [finding('too-late', `${operation.kind} took ${Math.round(tookMs)} ms, more than ${limitMs} ms.`, [operation])]
}

/** Requests break off when their server dies, or the machine stands still, and at no other time; with one server dead, one retry must do. */
function checkInterruption({ faults }: Timeline, operation: Operation, retry: Operation | undefined): Finding[] {
  if (!isInterrupted(operation)) return []
  const killed = (toMs: number) =>
    faults.filter(
      ({ kind, beginMs, endMs }) =>
        (kind === 'server-killed' || kind === 'standstill') &&
        beginMs <= toMs &&
        endMs + INTERRUPTION_GRACE_MS >= operation.startMs,
    )
  if (killed(operation.endMs).length === 0)
    return [
      finding('unexplained-interruption', `${operation.kind} got no answer while all servers were up.`, [operation]),
    ]
  if (!retry || !isInterrupted(retry) || killed(retry.endMs).length > 1) return []
  const what = `${operation.kind} got no answer twice while one server was down.`
  return [finding('not-cured-by-one-retry', what, [operation, retry])]
}

/** Where the store cannot have answered, there is no yes and there are no tokens. */
function checkAbsence(timeline: Timeline, operation: Operation): Finding[] {
  const sign = timeline.lifeSign(operation)
  if (!sign) return []
  const absence = timeline.faults.find(
    ({ kind, beginMs, endMs }) => absences.has(kind) && sign.fromMs > beginMs && sign.toMs < endMs,
  )
  if (!absence) return []
  const what = `${operation.kind} was answered ${operation.status}${operation.check ? ` (${operation.check})` : ''} while no reply of the store could arrive (${absence.kind}).`
  return [finding('yes-without-store', what, [operation], { sid: sessionOf(operation) })]
}

/** When each access token was first seen to be issued: from the beginning of the request that brought it. */
function readIssued({ operations }: Timeline): Map<string, Operation> {
  const issued = new Map<string, Operation>()
  for (const operation of operations) if (operation.gained) issued.set(operation.gained.jti, operation)
  return issued
}

function checkIssued(timeline: Timeline, operation: Operation, issued: Map<string, Operation>): Finding[] {
  const { jti, kind } = operation
  if (!timeline.lifeSign(operation) || kind === 'login' || kind === 'refresh') return []
  const origin = issued.get(jti ?? '')
  if (origin && origin.startMs <= operation.endMs && origin.gained?.sid === operation.sid) return []
  return [finding('never-issued', `${kind} accepted a token that was never issued.`, [operation])]
}
