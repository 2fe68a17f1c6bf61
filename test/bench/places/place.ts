/**
 * A place is a process of its own in which a part of what is measured runs, so that it does not share a core's time with the
 * callers more than it must. It ends with the process that started it, however that ends.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { z } from 'zod'
import { projectRoot } from '../../../src/local/project.ts'

export interface Place<T> {
  /** What the place told of itself when it was ready. */
  readonly ready: T
  readonly pid: number
  stop(): Promise<void>
}

export interface StartPlaceOptions<T> {
  /** The program: an absolute path. */
  readonly file: string
  /** What it is told. Secrets travel by the channel between the processes, never by the command line. */
  readonly settings: unknown
  readonly ready: z.ZodType<T>
}

const lineOf = z.union([z.object({ ready: z.unknown() }), z.object({ failed: z.string() })])

/** @throws when the place ends or fails before it is ready */
export async function startPlace<T>({ file, settings, ready }: StartPlaceOptions<T>): Promise<Place<T>> {
  const child = fork(file, {
    execArgv: ['--import', './src/local/lua-text.ts'],
    cwd: projectRoot,
    // What some libraries look at to leave out what is for developers.
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  child.send({ settings })
  const heard = await Promise.race([once(child, 'message'), exited])
  const said = lineOf.safeParse(heard[0])
  if (!said.success) throw new Error(`${file} ended before it was ready.`)
  if ('failed' in said.data) throw new Error(said.data.failed)
  return {
    ready: ready.parse(said.data.ready),
    pid: child.pid ?? 0,
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

export interface Started {
  readonly ready: unknown
  stop(): Promise<void>
}

/** The other end: starts what the parent asks for, and stops it when the parent is done or gone. */
export function bePlace<S>(settings: z.ZodType<S>, start: (settings: S) => Promise<Started>): void {
  // Ctrl-C reaches every process of the terminal: the parent decides.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  const gone = new Promise((resolve) => void process.once('disconnect', resolve))

  async function live(message: unknown): Promise<void> {
    const asked = z.object({ settings }).parse(message)
    const started = await start(asked.settings)
    // The parent may be gone by now.
    if (process.connected) process.send?.({ ready: started.ready })
    await gone
    await started.stop()
  }

  process.once('message', (message) => {
    live(message)
      .then(() => process.exit(0))
      .catch((error: unknown) => {
        const failed = error instanceof Error ? error.message : String(error)
        if (!process.connected) process.exit(1)
        process.send?.({ failed }, () => process.exit(1))
      })
  })
}
