/** One round of one item. */
import type { Prepared } from './item.ts'

export interface Round {
  readonly callers: number
  /** Nobody begins another operation after so long. */
  readonly ms: number
}

/** Operations a second. */
export async function measure({ run }: Pick<Prepared, 'run'>, { callers, ms }: Round): Promise<number> {
  const beginMs = performance.now()
  let done = 0

  async function call(caller: number): Promise<void> {
    do {
      const more = await run(caller)
      if (more === 0) return
      done += more
    } while (performance.now() - beginMs < ms)
  }

  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
  return (done * 1000) / (performance.now() - beginMs)
}
