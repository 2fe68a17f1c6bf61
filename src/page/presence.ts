/** How many tabs of this page are open. Each holds a lock, which goes with it however it ends. */
const NAME = 'latchkey page tab'
/** A tab that ended has told nobody. */
const LOOK_MS = 3000

/** Calls the listener with the number, now and when it changes. Never, where the browser has no Web Locks. */
export function watchTabs(listener: (count: number) => void): void {
  const locks = globalThis.navigator.locks
  if (!locks || !globalThis.BroadcastChannel) return
  const channel = new BroadcastChannel(NAME)
  const tell = channel.postMessage.bind(channel)
  const count = async () => {
    const { held = [] } = await locks.query()
    listener(held.filter(({ name }) => name?.startsWith(NAME)).length)
  }
  void locks.request(`${NAME} ${crypto.randomUUID()}`, async () => {
    tell('opened')
    await count()
    // Held as long as the page is there.
    await new Promise(() => {})
  })
  channel.addEventListener('message', () => void count())
  setInterval(() => {
    if (document.visibilityState === 'visible') void count()
  }, LOOK_MS)
}
