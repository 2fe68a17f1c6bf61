import type { Surroundings } from './surroundings.ts'

/** Other products' users were hung for good by a lock that a dying tab took along: nobody waits for longer than this. */
const PATIENCE_MS = 5000
/** How often a tab without Web Locks looks whether the lease is free, and how long it waits to see whether it got it. */
const POLL_MS = 50

/**
 * Runs `act` while, as a rule, no other tab runs one under the same name. `waited` says that another tab did meanwhile.
 * Nothing may depend on it for being right: after five seconds `act` runs anyway.
 */
export async function exclusively<T>(
  around: Surroundings,
  name: string,
  act: (waited: boolean) => Promise<T>,
): Promise<T> {
  const { locks } = around
  if (!locks) return underLease(around, `${name} lease`, act)
  let running: Promise<T> | undefined
  let callOff = () => {}
  const giveUp = new AbortController()
  const outOfPatience = new Promise<void>((done) => {
    callOff = around.after(PATIENCE_MS, () => {
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

/** Without Web Locks: an entry in storage that runs out by itself. Two tabs may both get it, but seldom do. */
async function underLease<T>(around: Surroundings, name: string, act: (waited: boolean) => Promise<T>): Promise<T> {
  const { shared, newId, wallMs, random } = around
  const me = newId()
  const sleep = () => new Promise<void>((done) => around.after(POLL_MS * (1 + random()), done))
  const holder = () => shared.get(name)?.split(' ') ?? []
  let waited = false
  for (let tries = PATIENCE_MS / POLL_MS; tries > 0; tries--) {
    const [, takenMs = 0] = holder()
    // Also free if it seems to come from the future: a clock was set back.
    if (Math.abs(wallMs() - Number(takenMs)) > PATIENCE_MS) {
      shared.set(name, `${me} ${wallMs()}`)
      await sleep()
      if (holder()[0] === me) break
    }
    waited = true
    await sleep()
  }
  try {
    return await act(waited)
  } finally {
    if (holder()[0] === me) shared.set(name, undefined)
  }
}
