import type { Surroundings } from './surroundings.ts'

/** Other products' users were hung for good by a lock that a dying tab took along: nobody waits for longer than this. */
const PATIENCE_MS = 5000

/**
 * Runs `act` while, as a rule, no other tab runs one under the same name. `waited` says that another tab did meanwhile.
 * Nothing may depend on it for being right: after five seconds, or where there are no locks, `act` runs anyway. If tabs then
 * refresh side by side, they do so by one key, and the service gives all of them the same answer.
 */
export async function exclusively<T>(
  around: Surroundings,
  name: string,
  act: (waited: boolean) => Promise<T>,
): Promise<T> {
  const { locks, after } = around
  if (!locks) return act(true)
  let running: Promise<T> | undefined
  let callOff = () => {}
  const giveUp = new AbortController()
  const outOfPatience = new Promise<void>((done) => {
    callOff = after(PATIENCE_MS, () => {
      giveUp.abort()
      done()
    })
  })
  const start = (waited: boolean) => {
    callOff()
    return (running ??= act(waited))
  }
  const queue = async () => {
    const isTaken = await locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock) await start(false)
      return !lock
    })
    if (isTaken) await locks.request(name, { signal: giveUp.signal }, () => start(true))
  }
  // A lock that fails is a lock that is not there. What `act` itself throws is thrown below.
  await Promise.race([queue().catch(() => {}), outOfPatience])
  return start(true)
}
