/** Rules about those who were turned away: nobody who followed the rules may be, unless somebody else ended their session. */
import type { Operation } from '../history.ts'
import { finding, type Finding } from './finding.ts'
import { mayHaveHappened, sessionOf, type Timeline } from './timeline.ts'

/** Servers' clocks may be off by three seconds each way, so a token may run out early by both together, and a rounding. */
const EXPIRY_LEEWAY_MS = 8000

/** A request that got no answer, or 503, may still do its work for a while: nothing on the way holds it for longer. */
const LATE_WORK_MS = 30_000

/** What ends a session from the point of view of a client that was told so. */
export type Ending = 'superseded' | 'unknown' | 'reused' | 'never'

const endings: Readonly<Record<string, Ending>> = {
  session_superseded: 'superseded',
  session_unknown: 'unknown',
  refresh_reused: 'reused',
}

export function checkRefusals(timeline: Timeline): Finding[] {
  return [...timeline.byUser.values()].flatMap((operations) => {
    const logouts = operations.filter(isLogout).flatMap((refusal) => explainLogout(timeline, operations, refusal))
    const checks = operations.filter(isRefusedCheck).flatMap((refusal) => explainCheck(timeline, operations, refusal))
    return [logouts, checks].flat()
  })
}

/** A client that follows the rules is signed out by a refusal of its refresh token alone. */
function isLogout({ as, kind, status }: Operation): boolean {
  return as === 'owner' && kind === 'refresh' && status === 401
}

function isRefusedCheck({ as, kind, status, active }: Operation): boolean {
  if (as !== 'owner') return false
  if (kind === 'introspect') return status === 200 && active === false
  return (kind === 'verify' || kind === 'verify-fresh') && status === 401
}

function explainLogout(timeline: Timeline, operations: readonly Operation[], refusal: Operation): Finding[] {
  const sid = sessionOf(refusal)
  const causes = readCauses(timeline, operations, refusal)
  const isExplained: Record<Ending, boolean> = {
    superseded: causes.isSuperseded,
    // A newer session that has ended in its turn leaves nothing behind that tells of it.
    unknown: causes.isEnded || causes.isRecordLost || (causes.isSuperseded && causes.isAnyEnded),
    reused: causes.isStolen,
    never: false,
  }
  if (isExplained[endings[refusal.code ?? ''] ?? 'never']) return []
  const lostBy = lossOfSession(timeline, operations, refusal)
  const what = lostBy
    ? `The sign-in that opened ${sid} was lost, and its client signed out.`
    : `A client that followed the rules was signed out of ${sid}: ${refusal.code}.`
  const before = operations.filter((one) => sessionOf(one) === sid && one.endMs <= refusal.endMs).slice(-3)
  return [finding('false-logout', what, [...before, refusal], { sid, lostBy })]
}

function explainCheck(timeline: Timeline, operations: readonly Operation[], refusal: Operation): Finding[] {
  const sid = sessionOf(refusal)
  const { isSuperseded, isEnded, isStolen, isRecordLost } = readCauses(timeline, operations, refusal)
  if (isSuperseded || isEnded || isStolen || isRecordLost) return []
  const { jti } = refusal
  const isDenied = operations.some((one) => one.kind === 'revoke' && one.jti === jti && mayBeBefore(one, refusal))
  const issued = operations.find(({ gained }) => gained?.jti === jti)
  const isOld = issued && refusal.endMs - issued.startMs > timeline.bounds.accessMs - EXPIRY_LEEWAY_MS
  if (isDenied || isOld) return []
  const lostBy = lossOfSession(timeline, operations, refusal)
  const what = lostBy
    ? `The sign-in that opened ${sid} was lost, and its token refused.`
    : `A good token of ${sid} was refused by ${refusal.kind}.`
  return [finding('good-token-refused', what, [...(issued ? [issued] : []), refusal], { sid, lostBy })]
}

/** Whatever may have ended the session before the refusal, by somebody else or by its own client. */
function readCauses(timeline: Timeline, operations: readonly Operation[], refusal: Operation) {
  const sid = sessionOf(refusal)
  const login = operations.find((one) => one.kind === 'login' && sessionOf(one) === sid)
  const before = operations.filter((one) => one !== refusal && mayBeBefore(one, refusal))
  const ends = before.filter(
    (one) => one.kind === 'logout' || (one.kind === 'revoke' && one.jti === undefined) || one.as === 'thief',
  )
  return {
    isSuperseded: before.some((one) => one.kind === 'login' && one !== login && mayBeAfter(one, login)),
    isEnded: ends.some((one) => one.as !== 'thief' && sessionOf(one) === sid),
    isAnyEnded: ends.length > 0,
    isStolen: ends.some((one) => one.as === 'thief' && sessionOf(one) === sid),
    isRecordLost: timeline.faults.some(
      ({ kind, user, beginMs, endMs }) =>
        kind === 'record-lost' && user === refusal.user && beginMs <= refusal.endMs && endMs >= (login?.startMs ?? 0),
    ),
  }
}

/** Whether the operation may have done its work before the other had its answer. A thief's refusal does harm, too. */
function mayBeBefore(one: Operation, other: Operation): boolean {
  return (mayHaveHappened(one) || one.as === 'thief') && one.startMs < other.endMs
}

/** Whether a sign-in may have come after the one that opened the session. */
function mayBeAfter(one: Operation, login: Operation | undefined): boolean {
  return !login || one.endMs + (one.status === 200 ? 0 : LATE_WORK_MS) > login.startMs
}

function lossOfSession(timeline: Timeline, operations: readonly Operation[], refusal: Operation) {
  const login = operations.find((one) => one.kind === 'login' && sessionOf(one) === sessionOf(refusal))
  return login && timeline.lossBetween(login.endMs, refusal.endMs)
}
