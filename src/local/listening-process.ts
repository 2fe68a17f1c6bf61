/** A process that serves on the loopback interface: a Worker's, a gateway's, a balancer's. */
export interface ListeningProcess {
  /** `http://127.0.0.1:port` */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Settles when it has ended, for whatever reason. */
  readonly exited: Promise<void>
  /** Ends it as a crash would (SIGKILL), and waits until it is gone. */
  readonly kill: () => Promise<void>
  /** Ends it in its own good way, and waits until it is gone. */
  readonly stop: () => Promise<void>
}
