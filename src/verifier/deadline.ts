/** The time that was given to a call has passed. */
export class DeadlinePassed extends Error {
  override readonly name = 'DeadlinePassed'
}

/**
 * Runs `call` for at most `limitMs`, then aborts its signal and rejects, whether the call heeds the signal or not.
 *
 * The timer belongs to the caller. So it can also wait for a promise of another request, which workerd may have dropped.
 *
 * @throws {DeadlinePassed} and whatever `call` throws
 */
export async function withDeadline<T>(limitMs: number, call: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  const abort = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new DeadlinePassed(`no answer within ${limitMs} ms`)
      reject(error)
      abort.abort(error)
    }, limitMs)
  })
  try {
    return await Promise.race([call(abort.signal), late])
  } finally {
    clearTimeout(timer)
  }
}
