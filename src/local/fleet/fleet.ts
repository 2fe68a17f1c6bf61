/** What the fleet is to whoever watches it or breaks it: five auth servers behind a balancer, and a Redis that fails over. */

/** One process of the fleet. */
export interface FleetPart {
  /** As in `server-3`, `redis-1`, `sentinel-2`, `balancer`. */
  readonly name: string
  isUp(): boolean
  /** Ends the process as a crash would, with SIGKILL, and waits until it is gone. Does nothing if it is down already. */
  kill(): Promise<void>
  /** Starts it again, with the data it had, and waits until it answers. Does nothing if it is up. */
  revive(): Promise<void>
}

export interface FleetServer extends FleetPart {
  /** Its own address, past the balancer. The same after `revive`. */
  readonly url: string
}

export interface FleetRedis extends FleetPart {
  /** As Redis itself says; `down` when it does not. */
  role(): Promise<'primary' | 'replica' | 'down'>
}

export interface Fleet {
  /** Address of the balancer: what clients use. */
  readonly url: string
  /** The servers' variables, secrets included. */
  readonly env: Readonly<Record<string, string>>
  readonly servers: readonly FleetServer[]
  readonly redis: readonly FleetRedis[]
  readonly sentinels: readonly FleetPart[]
  readonly balancer: FleetPart
  /** Ends everything that it started, in reverse order. */
  stop(): Promise<void>
}
