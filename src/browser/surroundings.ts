/** The browser as far as a session uses it, so that tests can stand in for each part. Whatever is missing is done without. */

export interface Surroundings {
  readonly fetch: typeof fetch
  /** `Date.now()`: may step, goes on in sleep. */
  readonly wallMs: () => number
  /** `performance.now()`: never steps, may stand still in sleep. */
  readonly monotonicMs: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly newId: () => string
  /** Calls back later; the function it returns calls that off. */
  readonly after: (ms: number, act: () => void) => () => void
  readonly isVisible: () => boolean
  /** Origin of the page, or nothing outside a browser. */
  readonly origin: string | undefined
  /** Shared by all tabs of the origin, and outlives them. */
  readonly shared: Shelf
  /** Web Locks. */
  readonly locks?: Pick<LockManager, 'request'> | undefined
  /** Opens the channel to the other tabs. */
  readonly openChannel: (name: string, onMessage: (message: unknown) => void) => Channel
  /** Tells when the page should look again. The function it returns stops that. */
  readonly onWake: (listener: (why: Wake) => void) => () => void
}

/** The network is there again, or the page is looked at again. */
export type Wake = 'online' | 'front'

export interface Shelf {
  readonly get: (name: string) => string | undefined
  /** Puts a value there, or takes it away. */
  readonly set: (name: string, value: string | undefined) => void
}

export interface Channel {
  readonly post: (message: unknown) => void
  readonly close: () => void
}

export function browserSurroundings(): Surroundings {
  return {
    // Not bound to anything: a page may replace `fetch` later, and calling it as a method is an error.
    fetch: (input, init) => fetch(input, init),
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    random: () => Math.random(),
    newId: () => crypto.getRandomValues(new Uint32Array(4)).join('-'),
    after(ms, act) {
      const timer = setTimeout(act, ms)
      return () => clearTimeout(timer)
    },
    isVisible: () => globalThis.document?.visibilityState !== 'hidden',
    origin: globalThis.location?.origin,
    shared: createShelf(),
    locks: globalThis.navigator?.locks,
    openChannel,
    onWake,
  }
}

/** Storage may be missing, forbidden or full: then a value lives as long as the page. */
function createShelf(): Shelf {
  const kept = new Map<string, string>()
  return {
    get(name) {
      try {
        return localStorage.getItem(name) ?? kept.get(name)
      } catch {
        return kept.get(name)
      }
    },
    set(name, value) {
      kept.delete(name)
      try {
        if (value === undefined) localStorage.removeItem(name)
        else localStorage.setItem(name, value)
      } catch {
        if (value !== undefined) kept.set(name, value)
      }
    },
  }
}

function openChannel(name: string, onMessage: (message: unknown) => void): Channel {
  try {
    const channel = new BroadcastChannel(name)
    channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => onMessage(data))
    // Under Node, where pages may be rendered, it would keep the process alive.
    Object(channel).unref?.()
    return { post: channel.postMessage.bind(channel), close: channel.close.bind(channel) }
  } catch {
    return { post: () => {}, close: () => {} }
  }
}

function onWake(listener: (why: Wake) => void): () => void {
  const stop = new AbortController()
  const tell = ({ type }: Event) => listener(type === 'online' ? type : 'front')
  // `pageshow` also tells that the page comes out of the back/forward cache.
  for (const type of ['online', 'focus', 'pageshow', 'visibilitychange'])
    globalThis.addEventListener?.(type, tell, { signal: stop.signal })
  return () => stop.abort()
}
