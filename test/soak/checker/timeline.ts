/** A history put in order, and the few questions that all rules ask of it. */
import type { Bounds, EventLine, FaultKind, FaultLine, History, Operation, Run } from '../history.ts'

/** From its beginning to its end; one that never ended goes on for ever. */
export interface Fault {
  readonly id: number
  readonly kind: FaultKind
  readonly beginMs: number
  readonly endMs: number
  readonly target?: string | undefined
  readonly user?: string | undefined
  /** Whether writes that were acknowledged may be lost by it. */
  readonly isFailover: boolean
}

/** That something was so at some moment from `fromMs` to `toMs`, and how that is known. */
export interface Evidence {
  readonly operation: Operation
  readonly fromMs: number
  readonly toMs: number
}

/** By how much all that is done to one clock in a short time may prolong what its server remembers. */
const CLOCK_LEEWAY_MS = 8000

export interface Timeline {
  readonly run: Run
  readonly bounds: Bounds
  readonly operations: readonly Operation[]
  readonly byUser: ReadonlyMap<string, readonly Operation[]>
  readonly faults: readonly Fault[]
  readonly events: readonly EventLine[]
  /** The failover by which a write that was acknowledged then, and is missed now, was lost. */
  lossBetween(acknowledgedMs: number, missedMs: number): Fault | undefined
  /** That a session was live, if the operation tells: a yes, from the store or from memory, or tokens that were issued. */
  lifeSign(operation: Operation): Evidence | undefined
}

export function readTimeline(history: History): Timeline {
  const run = history.find((line) => line.line === 'run')
  if (!run) throw new Error('The history does not say what run it is of.')
  const { bounds } = run
  const operations = history.filter((line) => line.line === 'operation')
  const lines = history.filter((line) => line.line === 'fault')
  const faults = readFaults(lines)
  const byUser = new Map<string, Operation[]>()
  for (const operation of operations) {
    const known = byUser.get(operation.user)
    if (known) known.push(operation)
    else byUser.set(operation.user, [operation])
  }

  /** How far the clock of a server was moved in a span; of any server, when it is not known which answered. */
  function clockShiftMs(server: string | undefined, fromMs: number, toMs: number): number {
    const moves = lines.filter(
      ({ kind, target, atMs }) =>
        kind === 'clock-off' && atMs >= fromMs && atMs <= toMs && (server === undefined || target === server),
    )
    return moves.reduce((sum, { amountMs = 0 }) => sum + Math.abs(amountMs), 0)
  }

  function lifeSign(operation: Operation): Evidence | undefined {
    const { kind, status, check, active, server, startMs, endMs } = operation
    const within = (ageMs: number): Evidence => {
      // Memory is as old as the server's clock says, so a clock set back in between makes it last longer.
      const shiftMs = ageMs === 0 ? 0 : clockShiftMs(server, startMs - ageMs - CLOCK_LEEWAY_MS, endMs)
      return { operation, fromMs: startMs - ageMs - shiftMs, toMs: endMs }
    }
    switch (kind) {
      case 'login':
      case 'refresh':
        return status === 200 ? within(0) : undefined
      case 'introspect':
        return status === 200 && active ? within(0) : undefined
      case 'verify':
      case 'verify-fresh':
        if (status !== 204) return undefined
        if (kind === 'verify' && check === 'cached') return within(bounds.cacheMs)
        return within(kind === 'verify' && check === 'stale' ? bounds.staleMs : 0)
      case 'logout':
      case 'revoke':
        return undefined
      default:
        return kind satisfies never
    }
  }

  return {
    run,
    bounds,
    operations,
    byUser,
    faults,
    events: history.filter((line) => line.line === 'event'),
    lifeSign,
    lossBetween: (acknowledgedMs, missedMs) =>
      faults.find(
        ({ isFailover, kind, beginMs, endMs }) =>
          isFailover &&
          acknowledgedMs >= beginMs - bounds.lossMs &&
          // An answer may have been on its way when its primary died; one that is up again may go on until it is replaced.
          acknowledgedMs <= Math.max(kind === 'primary-killed' ? 0 : endMs, beginMs + bounds.lossMs) &&
          missedMs >= beginMs,
      ),
  }
}

function readFaults(lines: readonly FaultLine[]): Fault[] {
  return lines
    .filter(({ phase }) => phase === 'begin')
    .map(({ id, kind, atMs, target, user }) => {
      const end = lines.find((line) => line.id === id && line.phase === 'end')
      const isFailover = kind === 'primary-killed' || end?.failover === true
      return { id, kind, beginMs: atMs, endMs: end?.atMs ?? Infinity, target, user, isFailover }
    })
}

/** The session that an operation is about: the one presented, or the one that a sign-in opened. */
export function sessionOf({ sid, gained }: Operation): string | undefined {
  return sid ?? gained?.sid
}

/** Whether the operation may have done its work: it did, or nobody knows. A refusal did nothing. */
export function mayHaveHappened({ status }: Operation): boolean {
  return status === undefined || status < 300 || status >= 500
}
