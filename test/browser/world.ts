/** A browser, its network and a service, all made up, with a clock of their own: for what would take days. */
import { SessionError, type Session, type SessionEvent, type SessionOptions } from '../../src/browser/api.ts'
import { openSession } from '../../src/browser/session.ts'
import type { Surroundings, Wake } from '../../src/browser/surroundings.ts'

export const issuer = 'https://auth.example.com'
export const api = 'https://api.example.com'

/** A call as it reached the service. */
export interface Call {
  readonly path: string
  readonly key: string | null
  readonly authorization: string | null
  readonly body: string
}

export type Responder = (call: Call) => Response | Promise<Response>

export interface Tab {
  readonly session: Session
  readonly events: SessionEvent[]
  wake(why: Wake): void
  isVisible: boolean
}

export interface World {
  readonly calls: Call[]
  readonly storage: Map<string, string>
  respond: Responder
  /** Added to `Date.now()` alone. */
  dateOffsetMs: number
  open(options?: Partial<SessionOptions> & { withoutLocks?: boolean; withoutChannel?: boolean }): Tab
  /** Runs what is due in this time, in order. */
  pass(ms: number): Promise<void>
  /** As when the lid is closed: timers and the monotonic clock stand still, `Date` goes on. */
  sleep(ms: number): void
  refreshes(): number
  /** Posts anything at all on every channel. */
  say(message: unknown): void
}

export function grant(token: string, sessionId = 'sid-1', expiresInSeconds = 300): Response {
  return Response.json({
    access_token: token,
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    session_id: sessionId,
  })
}

export function refuse(status: number, code: string, headers: Record<string, string> = {}): Response {
  return Response.json({ status, code, title: `Title of ${code}.` }, { status, headers })
}

/** The code with which a call was refused. */
export function refusalOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'nothing',
    (error: unknown) => (error instanceof SessionError ? error.code : String(error)),
  )
}

/** Everything that is under way and needs no clock. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) await new Promise((done) => setImmediate(done))
}

let worlds = 0

export function createWorld(): World {
  const lockSpace = `world-${worlds++}`
  const storage = new Map<string, string>()
  const timers = new Set<{ atMs: number; act: () => void }>()
  const channels = new Set<{ name: string; hear: (message: unknown) => void }>()
  let nowMs = 0
  let ids = 0

  async function pass(ms: number): Promise<void> {
    const endMs = nowMs + ms
    await settle()
    for (;;) {
      const [next] = [...timers].toSorted((a, b) => a.atMs - b.atMs)
      if (!next || next.atMs > endMs) break
      nowMs = Math.max(nowMs, next.atMs)
      timers.delete(next)
      next.act()
      await settle()
    }
    nowMs = endMs
  }

  const world: World = {
    calls: [],
    storage,
    respond: () => grant('token'),
    dateOffsetMs: 1_800_000_000_000,
    refreshes: () => world.calls.filter(({ path }) => path === '/v1/refresh').length,
    pass,
    say(message) {
      for (const channel of channels) channel.hear(message)
    },
    sleep: (ms) => void (world.dateOffsetMs += ms),
    open({ withoutLocks = false, withoutChannel = false, ...options } = {}) {
      const wakers = new Set<(why: Wake) => void>()
      const around: Surroundings = {
        async fetch(input, init) {
          const request = new Request(input, init)
          const call = {
            path: request.url.startsWith(issuer) ? new URL(request.url).pathname : request.url,
            key: request.headers.get('Idempotency-Key'),
            authorization: request.headers.get('Authorization'),
            body: await request.text(),
          }
          world.calls.push(call)
          return world.respond(call)
        },
        wallMs: () => nowMs + world.dateOffsetMs,
        monotonicMs: () => nowMs,
        random: () => 0.5,
        newId: () => `id-${ids++}`,
        after(ms, act) {
          const timer = { atMs: nowMs + ms, act }
          timers.add(timer)
          return () => void timers.delete(timer)
        },
        isVisible: () => tab.isVisible,
        origin: 'https://app.example.com',
        shared: {
          get: (name) => storage.get(name),
          set: (name, value) => void (value === undefined ? storage.delete(name) : storage.set(name, value)),
        },
        locks: withoutLocks ? undefined : navigator.locks,
        openChannel(name, hear) {
          const own = { name, hear }
          if (!withoutChannel) channels.add(own)
          return {
            post(message) {
              if (!channels.has(own) && !withoutChannel)
                throw new DOMException('Channel is closed', 'InvalidStateError')
              const others = [...channels].filter((other) => other !== own && other.name === name)
              setImmediate(() => {
                for (const other of others) if (channels.has(other)) other.hear(structuredClone(message))
              })
            },
            close: () => void channels.delete(own),
          }
        },
        onWake(listener) {
          wakers.add(listener)
          return () => wakers.delete(listener)
        },
      }
      const tab = {
        isVisible: true,
        events: new Array<SessionEvent>(),
        wake(why: Wake) {
          for (const waker of wakers) waker(why)
        },
      }
      // Node's locks are the process's: the client's name keeps worlds apart.
      const session = openSession({ issuer, clientId: lockSpace, apis: [api], ...options }, around)
      session.subscribe((event) => tab.events.push(event))
      return Object.assign(tab, { session })
    },
  }
  return world
}

/** A world with one tab in which a user has signed in. */
export async function signedInWorld(): Promise<{ world: World; tab: Tab }> {
  const world = createWorld()
  const tab = world.open()
  await tab.session.login('grace', 'correct horse battery')
  world.calls.splice(0)
  return { world, tab }
}
