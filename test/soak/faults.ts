/** Brings the planned faults about, each for its time, and writes down when it began and ended. */
import { setTimeout as delay } from 'node:timers/promises'
import type { FleetRedis, FleetServer } from '../../src/local/fleet/fleet.ts'
import { rotateRing } from '../../src/tokens/key-changes.ts'
import type { TcpProxyMode } from '../support/tcp-proxy.ts'
import type { FaultLine } from './history.ts'
import type { PlannedFault, Track } from './plan.ts'
import type { Recorder } from './recorder.ts'
import type { Stage } from './stage.ts'

export interface FaultParts {
  readonly stage: Stage
  readonly recorder: Recorder
  /** Users whose records may be struck: the even ones lose theirs, the odd ones get an old one back. */
  readonly quietUsernames: readonly string[]
}

/** How long Redis servers are given to catch up with one another before one of them is struck. */
const CATCH_UP_PATIENCE_MS = 15_000
/** By then sentinels have noticed what they are going to notice. */
const SENTINEL_MS = 3000
/** A quiet user refreshes within this time. */
const ROTATION_PATIENCE_MS = 12_000

type Detail = Partial<Pick<FaultLine, 'target' | 'user' | 'amountMs' | 'failover'>>
type Mark = (phase: FaultLine['phase'], detail?: Detail) => void

/** Resolves when the last fault is over. */
export async function runFaults(parts: FaultParts, plan: readonly Track[]): Promise<void> {
  let made = 0
  const { recorder } = parts
  await Promise.all(
    plan.map(async (track) => {
      for (const fault of track) {
        await delay(Math.max(0, fault.atMs - recorder.nowMs()))
        made++
        const id = made
        const mark: Mark = (phase, detail = {}) =>
          recorder.write({ line: 'fault', id, kind: fault.kind, phase, atMs: recorder.nowMs(), ...detail })
        await bringAbout(parts, fault, mark)
      }
    }),
  )
}

function bringAbout(parts: FaultParts, fault: PlannedFault, mark: Mark): Promise<void> {
  const { kind } = fault
  switch (kind) {
    case 'server-killed':
      return killServer(parts, fault, mark)
    case 'redis-restarted':
    case 'primary-killed':
      return strikeRedis(parts, fault, mark)
    case 'bridge-hung':
      return blockWay(parts, fault, { mode: 'hang', mark })
    case 'replies-lost':
      return blockWay(parts, fault, { mode: 'drop-replies', mark })
    case 'replies-delayed':
      return blockWay(parts, fault, { mode: 'delay', mark })
    case 'connections-refused':
      return blockWay(parts, fault, { mode: 'refuse', mark })
    case 'clock-off':
      return moveClock(parts, fault, mark)
    case 'keys-rotated':
      return rotateKeys(parts, mark)
    case 'record-lost':
      return loseRecord(parts, fault, mark)
    case 'record-restored':
      return restoreRecord(parts, fault, mark)
    case 'standstill':
      return Promise.resolve()
    default:
      return kind satisfies never
  }
}

/** At least two servers stay up. */
async function killServer({ stage }: FaultParts, { target, forMs }: PlannedFault, mark: Mark): Promise<void> {
  const up = stage.fleet.servers.filter((server) => server.isUp())
  const server = up[target % up.length]
  if (!server || up.length <= 2) return
  mark('begin', { target: server.name })
  await server.kill()
  await delay(forMs)
  await server.revive()
  mark('end', { target: server.name })
}

async function strikeRedis({ stage }: FaultParts, fault: PlannedFault, mark: Mark): Promise<void> {
  const { redis, primary } = stage.fleet
  const before = await untilCaughtUp(stage)
  const struck = fault.kind === 'primary-killed' ? before : redis[fault.target % redis.length]
  if (!before || !struck) return
  mark('begin', { target: struck.name })
  await struck.kill()
  await delay(fault.forMs)
  await struck.revive()
  if (fault.kind === 'redis-restarted') await delay(SENTINEL_MS)
  mark('end', { target: struck.name, failover: (await primary())?.name !== before.name })
}

/** The primary, when all replicas hold what it does: losing the only full copy would be no failover but a disaster. */
async function untilCaughtUp({ fleet }: Stage): Promise<FleetRedis | undefined> {
  const giveUpAtMs = performance.now() + CATCH_UP_PATIENCE_MS
  while (performance.now() < giveUpAtMs) {
    const linked = await Promise.all(fleet.redis.map(async (each) => (await each.replication())?.linkUp === true))
    const primary = await fleet.primary()
    if (!linked.includes(false) && (await primary?.role()) === 'primary') return primary
    await delay(200)
  }
  return undefined
}

async function blockWay(
  { stage }: FaultParts,
  { forMs }: PlannedFault,
  { mode, mark }: { readonly mode: TcpProxyMode; readonly mark: Mark },
): Promise<void> {
  stage.proxy.mode(mode)
  mark('begin')
  await delay(forMs)
  mark('end')
  stage.proxy.mode('pass')
}

/** A server that was killed meanwhile has started with the right time. */
async function moveClock({ stage }: FaultParts, fault: PlannedFault, mark: Mark): Promise<void> {
  const { target, forMs, amountMs = 0 } = fault
  const { servers } = stage.fleet
  const server = servers[target % servers.length]
  const pid = server?.pid()
  if (!server || pid === undefined) return
  mark('begin', { target: server.name, amountMs })
  await addToClock(server, amountMs)
  await delay(forMs)
  mark('end', { target: server.name, amountMs })
  if (server.pid() === pid) await addToClock(server, -amountMs)
}

async function addToClock(server: FleetServer, ms: number): Promise<void> {
  await fetch(`${server.url}/test/clock`, { method: 'POST', body: String(ms) }).catch(() => undefined)
}

/** While the store is away there is nothing to rotate. */
async function rotateKeys({ stage }: FaultParts, mark: Mark): Promise<void> {
  mark('begin')
  await rotateRing(stage.operator, Date.now()).catch(() => undefined)
  mark('end')
}

async function loseRecord({ stage, quietUsernames }: FaultParts, { target }: PlannedFault, mark: Mark): Promise<void> {
  const users = quietUsernames.filter((_, index) => index % 2 === 0)
  const user = users[target % users.length] ?? ''
  mark('begin', { user })
  // The store may be away just now.
  for (;;) {
    try {
      await stage.records.remove(user)
      return mark('end', { user })
    } catch {
      await delay(100)
    }
  }
}

/** What a failover to a replica that lags behind would do to one user. */
async function restoreRecord({ stage, quietUsernames }: FaultParts, fault: PlannedFault, mark: Mark): Promise<void> {
  const users = quietUsernames.filter((_, index) => index % 2 === 1)
  const user = users[fault.target % users.length] ?? ''
  const read = () => stage.records.read(user).catch(() => undefined)
  const old = await read()
  const giveUpAtMs = performance.now() + ROTATION_PATIENCE_MS
  while (performance.now() < giveUpAtMs) {
    await delay(100)
    const now = await read()
    // Of the same session: an older session's would be another fault.
    if (old === undefined || now === undefined || now === old || sidOf(now) !== sidOf(old)) continue
    mark('begin', { user })
    await stage.records.write(user, old).catch(() => undefined)
    mark('end', { user })
    return
  }
}

function sidOf(record: string): string | undefined {
  return /"sid":"(?<sid>[^"]+)"/u.exec(record)?.groups?.['sid']
}
