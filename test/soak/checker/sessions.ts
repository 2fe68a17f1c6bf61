/**
 * Rules about when a session is live. A session is live without a break from its sign-in to its end, so two operations that
 * saw it live bound a span in which it certainly was; spans of two sessions of a user must not cross. Only operations that
 * really came one after the other count: what an operation saw, it saw at some moment between its beginning and its end.
 */
import type { Operation } from '../history.ts'
import { finding, type Finding } from './finding.ts'
import { sessionOf, type Evidence, type Timeline } from './timeline.ts'

interface Session {
  readonly sid: string
  readonly lifeSigns: Evidence[]
  readonly deathSigns: Evidence[]
}

export function checkSessions(timeline: Timeline): Finding[] {
  return [...timeline.byUser.values()].flatMap((operations) => {
    const sessions = [...readSessions(timeline, operations).values()]
    const pairs = checkPairs(timeline, sessions)
    const ends = sessions.flatMap((session) => checkEnd(timeline, session))
    const generations = sessions.flatMap((session) => checkGenerations(timeline, session))
    return [pairs, ends, generations, checkDenials(timeline, operations)].flat()
  })
}

function readSessions(timeline: Timeline, operations: readonly Operation[]): Map<string, Session> {
  const sessions = new Map<string, Session>()
  for (const operation of operations) {
    const sid = sessionOf(operation)
    if (sid === undefined) continue
    const session = sessions.get(sid) ?? { sid, lifeSigns: [], deathSigns: [] }
    sessions.set(sid, session)
    const lifeSign = timeline.lifeSign(operation)
    if (lifeSign) session.lifeSigns.push(lifeSign)
    if (saysEnded(operation)) session.deathSigns.push({ operation, fromMs: operation.startMs, toMs: operation.endMs })
  }
  return sessions
}

/** The session ended, or was found to have ended, while this operation was under way. */
function saysEnded({ kind, status, code, jti }: Operation): boolean {
  switch (kind) {
    case 'logout':
      return status === 204
    case 'revoke':
      return status === 200 && jti === undefined
    case 'refresh':
      return status === 401 && ['session_superseded', 'session_unknown', 'refresh_reused'].includes(code ?? '')
    case 'login':
    case 'introspect':
    case 'verify':
    case 'verify-fresh':
      return false
    default:
      return kind satisfies never
  }
}

const latestBegin = (signs: readonly Evidence[]) =>
  signs.reduce<Evidence | undefined>((best, sign) => (best && best.fromMs >= sign.fromMs ? best : sign), undefined)
const earliestEnd = (signs: readonly Evidence[]) =>
  signs.reduce<Evidence | undefined>((best, sign) => (best && best.toMs <= sign.toMs ? best : sign), undefined)

/** At most one session of a user is live: of two, one was over before the other began. */
function checkPairs(timeline: Timeline, sessions: readonly Session[]): Finding[] {
  const spans = sessions.flatMap(({ sid, lifeSigns }) => {
    const [first, last] = [earliestEnd(lifeSigns), latestBegin(lifeSigns)]
    return first && last ? [{ sid, first, last, lifeSigns }] : []
  })
  const inOrder = spans.toSorted((a, b) => a.first.toMs - b.first.toMs)
  return inOrder.flatMap((older, place) =>
    inOrder.slice(place + 1).flatMap((newer) => {
      const olderFirst = older.last.fromMs < newer.first.toMs
      const newerFirst = newer.last.fromMs < older.first.toMs
      if (olderFirst || newerFirst) return []
      // What shows it first: had it shown before the failover, nothing was lost.
      const revival = older.lifeSigns.find(({ fromMs }) => fromMs >= newer.first.toMs) ?? older.last
      const operations = [older.first, newer.first, revival, newer.last].map(({ operation }) => operation)
      const lostBy = timeline.lossBetween(newer.first.operation.endMs, revival.operation.endMs)
      const what = lostBy
        ? `The sign-in that opened ${newer.sid} was lost, and ${older.sid} is live again.`
        : `${older.sid} was accepted after ${newer.sid} had been opened: both were live.`
      return [finding('two-sessions', what, operations, { sid: older.sid, lostBy })]
    }),
  )
}

/** Once a session has ended, nothing of it is accepted again. */
function checkEnd(timeline: Timeline, { sid, lifeSigns, deathSigns }: Session): Finding[] {
  const records = timeline.faults.filter(
    ({ kind, user }) => kind === 'record-lost' && user === lifeSigns[0]?.operation.user,
  )
  const contradictions = [
    ...deathSigns.map((death) => ({ death, life: lifeAfter(death, lifeSigns) })),
    ...records.map(({ beginMs, endMs }) => {
      const isOfThen = lifeSigns.some(({ operation }) => operation.kind === 'login' && operation.endMs < beginMs)
      return { death: { toMs: endMs }, life: isOfThen ? lifeSigns.find(({ fromMs }) => fromMs > endMs) : undefined }
    }),
  ]
  const found = contradictions.flatMap(({ death, life }) => {
    if (!life) return []
    const lostBy = timeline.lossBetween(death.toMs, life.operation.endMs)
    const ended = 'operation' in death ? `${death.operation.kind} ${death.operation.status}` : 'the loss of its record'
    const what = lostBy ? `The end of ${sid} was lost: it is live again.` : `${sid} was accepted after ${ended}.`
    const operations = ['operation' in death ? death.operation : life.operation, life.operation]
    return [finding('accepted-after-end', what, operations, { sid, lostBy })]
  })
  // One of each sort is enough to show: the rest follows from it.
  return [found.find(({ lostBy }) => !lostBy), found.find(({ lostBy }) => lostBy)].filter((one) => one !== undefined)
}

/** The first sign of life after a death. The server that ended a session has nothing of it in memory. */
function lifeAfter({ operation: end, toMs }: Evidence, lifeSigns: readonly Evidence[]): Evidence | undefined {
  const isByLogout = end.kind === 'logout' || end.kind === 'revoke'
  return lifeSigns.find(({ operation, fromMs }) => {
    const isSameServer = isByLogout && operation.server !== undefined && operation.server === end.server
    return (isSameServer ? operation.startMs : fromMs) > toMs
  })
}

/** Once a token's successor has been used, the token itself is worth nothing. */
function checkGenerations(timeline: Timeline, { sid, lifeSigns }: Session): Finding[] {
  const refreshes = lifeSigns
    .map(({ operation }) => operation)
    .filter(({ kind }) => kind === 'refresh')
    .toSorted((a, b) => a.endMs - b.endMs)
  const found: Finding[] = []
  for (const late of refreshes) {
    const generation = late.generation ?? 0
    const used = refreshes.find((early) => early.endMs < late.startMs && (early.generation ?? 0) > generation)
    if (!used) continue
    const lostBy = timeline.lossBetween(used.endMs, late.endMs)
    const what = `Generation ${generation} of ${sid} was accepted after ${used.generation} had been.`
    found.push(finding('old-generation-accepted', what, [used, late], { sid, lostBy }))
  }
  return found
}

/** An access token that was revoked alone is not accepted again. */
function checkDenials(timeline: Timeline, operations: readonly Operation[]): Finding[] {
  const denials = operations.filter(({ kind, status, jti }) => kind === 'revoke' && status === 200 && jti !== undefined)
  return denials.flatMap((denial) => {
    const signs = operations
      .filter(({ jti, kind }) => jti === denial.jti && kind !== 'refresh')
      .flatMap((operation) => timeline.lifeSign(operation) ?? [])
    const life = lifeAfter({ operation: denial, fromMs: denial.startMs, toMs: denial.endMs }, signs)
    if (!life) return []
    const lostBy = timeline.lossBetween(denial.endMs, life.operation.endMs)
    const what = `Access token ${denial.jti} was accepted after it had been revoked.`
    return [finding('accepted-after-denial', what, [denial, life.operation], { sid: denial.sid, lostBy })]
  })
}
