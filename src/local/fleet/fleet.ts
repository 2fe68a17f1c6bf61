/** What the fleet is to whoever watches it or breaks it: five auth servers behind a balancer, and a Redis that fails over. */

/** One process of the fleet. */
export interface FleetPart {
  /** As in `server-3`, `redis-1`, `sentinel-2`, `balancer`. */
  readonly name: string
  readonly isUp: () => boolean
  /** Of the process that is running. */
  readonly pid: () => number | undefined
  /** Ends the process as a crash would, with SIGKILL, and waits until it is gone. Does nothing if it is down already. */
  readonly kill: () => Promise<void>
  /** Starts it again, with the data it had, and waits until it answers. Does nothing if it is up. */
  readonly revive: () => Promise<void>
}

export interface FleetServer extends FleetPart {
  /** Its own address, past the balancer. The same after `revive`. */
  readonly url: string
}

export interface FleetRedis extends FleetPart {
  readonly port: number
  /** As Redis itself says; `down` when it does not. */
  readonly role: () => Promise<'primary' | 'replica' | 'down'>
  /** As Redis itself says; nothing when it does not. */
  readonly replication: () => Promise<Replication | undefined>
}

/** Where one Redis is in the stream of writes. */
export interface Replication {
  readonly role: 'primary' | 'replica'
  readonly offsetBytes: number
  /** Whether a replica hears its primary, and has had all that was there before. */
  readonly linkUp: boolean
}

/** What the balancer passed on to one server since the fleet was started. Approximate: lines can be lost under load. */
export interface RequestCounts {
  readonly requests: number
  /** Answered with 4xx. */
  readonly refusals: number
  /** Answered with 5xx, by the server or by the balancer in its place. */
  readonly failures: number
}

export interface Fleet {
  /** Address of the balancer: what clients use. */
  readonly url: string
  /** The servers' variables, secrets included. */
  readonly env: Readonly<Record<string, string>>
  /** The secret of the client `api`. */
  readonly apiSecret: string
  readonly servers: readonly FleetServer[]
  readonly redis: readonly FleetRedis[]
  readonly sentinels: readonly FleetPart[]
  readonly balancer: FleetPart
  /** Where the sentinels say that the primary is, which may be down; nothing when none of them answers. */
  readonly primary: () => Promise<FleetRedis | undefined>
  /**
   * Whether no failover is under way: all sentinels that are up agree on a primary that is well, and every other Redis
   * that is up is its replica and in step. When the primary dies before that, writes can be lost, and the sentinels
   * take longer to agree.
   */
  readonly isSettled: () => Promise<boolean>
  /** By the server's name; under `nobody` what the balancer could pass on to none. */
  readonly counts: () => ReadonlyMap<string, RequestCounts>
  /** Ends everything that it started, in reverse order. */
  readonly stop: () => Promise<void>
}
