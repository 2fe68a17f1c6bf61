/** What the fleet looks like at one moment, and what has changed since another. */
import type { Fleet, FleetPart, FleetRedis, FleetServer, RequestCounts } from './fleet.ts'

export interface PartView {
  readonly name: string
  /** Nothing when it is down. */
  readonly pid: number | undefined
}

export interface ServerView extends PartView {
  readonly counts: RequestCounts
  readonly requestsPerSecond: number
}

export interface RedisView extends PartView {
  readonly state: 'primary' | 'replica' | 'replica, catching up' | 'down'
  /** How many bytes of the stream of writes a replica lacks; nothing when that cannot be told. */
  readonly behindBytes: number | undefined
}

export interface Snapshot {
  readonly takenAtMs: number
  readonly servers: readonly ServerView[]
  readonly redis: readonly RedisView[]
  readonly sentinels: readonly PartView[]
  readonly balancer: PartView
  /** Where the sentinels say that the primary is. */
  readonly primary: string | undefined
  /** What the balancer could pass on to nobody. */
  readonly unserved: RequestCounts
}

const none: RequestCounts = { requests: 0, refusals: 0, failures: 0 }

/** Rates are those since `previous`. */
export async function takeSnapshot(fleet: Fleet, previous?: Snapshot): Promise<Snapshot> {
  const takenAtMs = performance.now()
  const counts = fleet.counts()
  const [primary, redis] = await Promise.all([fleet.primary(), viewRedis(fleet.redis)])
  const elapsedSeconds = previous ? (takenAtMs - previous.takenAtMs) / 1000 : Infinity
  const viewServer = (server: FleetServer): ServerView => {
    const now = counts.get(server.name) ?? none
    const before = previous?.servers.find(({ name }) => name === server.name)?.counts ?? now
    const requestsPerSecond = (now.requests - before.requests) / elapsedSeconds
    return { ...viewPart(server), counts: now, requestsPerSecond }
  }
  return {
    takenAtMs,
    servers: fleet.servers.map(viewServer),
    redis,
    sentinels: fleet.sentinels.map(viewPart),
    balancer: viewPart(fleet.balancer),
    primary: primary?.name,
    unserved: counts.get('nobody') ?? none,
  }
}

const viewPart = (part: FleetPart): PartView => ({ name: part.name, pid: part.pid() })

async function viewRedis(redis: readonly FleetRedis[]): Promise<RedisView[]> {
  const replications = await Promise.all(redis.map((each) => each.replication()))
  const primaryBytes = replications.find((each) => each?.role === 'primary')?.offsetBytes
  return redis.map((each, index) => {
    const replication = replications[index]
    const view = viewPart(each)
    if (replication === undefined) return { ...view, state: 'down', behindBytes: undefined }
    if (replication.role === 'primary') return { ...view, state: 'primary', behindBytes: undefined }
    const behindBytes = primaryBytes === undefined ? undefined : Math.max(0, primaryBytes - replication.offsetBytes)
    return { ...view, state: replication.linkUp ? 'replica' : 'replica, catching up', behindBytes }
  })
}

/** A sentence for each change that a watcher should hear of, in the order of the screen. */
export function describeChanges(before: Snapshot, now: Snapshot): string[] {
  const lines = changesOfParts(partsOf(before), partsOf(now))
  if (now.primary !== before.primary) {
    if (now.primary === undefined) lines.push('no sentinel answers: nobody would notice a failing primary')
    else if (before.primary === undefined) lines.push(`the sentinels answer: the primary is ${now.primary}`)
    else lines.push(`failover: ${now.primary} is the primary now`)
  }
  for (const [index, redis] of now.redis.entries()) {
    const was = before.redis[index]?.state
    if (redis.state === was) continue
    if (redis.state === 'replica') lines.push(`${redis.name} is a replica, and in step`)
    if (redis.state === 'down' && redis.pid !== undefined) lines.push(`${redis.name} does not answer`)
  }
  return lines
}

function partsOf({ servers, redis, sentinels, balancer }: Snapshot): PartView[] {
  return [...servers, ...redis, ...sentinels, balancer]
}

function changesOfParts(before: readonly PartView[], now: readonly PartView[]): string[] {
  return now.flatMap(({ name, pid }, index) => {
    const old = before[index]?.pid
    if (pid === old) return []
    if (pid === undefined) return [`${name} is down`]
    return [old === undefined ? `${name} is up (process ${pid})` : `${name} was restarted (process ${pid})`]
  })
}
