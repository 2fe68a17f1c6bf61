/** A process that can be killed and started again, whatever it is. */
import type { FleetPart } from './fleet.ts'
import type { Guardian } from './guardian.ts'

/** What the starters of workerd, redis-server and the balancers give. */
export interface RunningProcess {
  readonly pid: number
  readonly exited: Promise<void>
  readonly kill: () => Promise<unknown>
  readonly stop: () => Promise<unknown>
}

export interface StoppablePart extends FleetPart {
  /** Ends it in order; it cannot be revived then. */
  readonly stop: () => Promise<void>
}

export interface StartPartOptions<P extends RunningProcess> {
  readonly name: string
  /** Starts the process and resolves when it answers: the first time, and each time that it is revived. */
  readonly start: () => Promise<P>
  readonly guardian: Guardian
}

/** Starts the process for the first time. @throws what `start` throws */
export async function startPart<P extends RunningProcess>({
  name,
  start,
  guardian,
}: StartPartOptions<P>): Promise<StoppablePart> {
  let running: P | undefined
  let stopped = false

  async function launch(): Promise<P> {
    const launched = await start()
    running = launched
    guardian.add(launched.pid)
    void forget(launched)
    return launched
  }

  async function forget(launched: P): Promise<void> {
    await launched.exited
    guardian.remove(launched.pid)
    if (running === launched) running = undefined
  }

  // One act at a time: who kills a part that is being revived means the revived one.
  let turn: Promise<unknown> = Promise.resolve()
  function inTurn(act: () => Promise<unknown>): Promise<void> {
    const done = turn.then(act).then(() => undefined)
    turn = done.catch(() => undefined)
    return done
  }

  await launch()
  return {
    name,
    isUp: () => running !== undefined,
    pid: () => running?.pid,
    kill: () => inTurn(async () => running?.kill()),
    revive: () => inTurn(async () => running ?? (stopped ? undefined : launch())),
    stop: () =>
      inTurn(async () => {
        stopped = true
        await running?.stop()
      }),
  }
}

/** Waits for all of them even when one fails, so that nothing starts after its end. @throws what the first one threw */
export async function allOf<T>(starts: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(starts)
  return Promise.all(starts)
}
