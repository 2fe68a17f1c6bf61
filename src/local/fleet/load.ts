/** A few users who sign in, refresh and have their tokens checked, as their apps would: to see the fleet at work. */
import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'

export interface LoadOptions {
  /** Address of the fleet's balancer. */
  readonly url: string
  readonly users?: number
  /** How long each user rests between two calls. */
  readonly pauseMs?: number
}

export interface LoadTally {
  readonly calls: number
  /** Calls that failed, and were answered well when repeated once at once. */
  readonly cured: number
  /** Calls that failed twice in a row. The user goes on trying. */
  readonly failed: number
  /** Sessions that the fleet no longer knew. */
  readonly lost: number
}

export interface Load {
  readonly tally: () => LoadTally
  /** Resolves when the last call has been answered. */
  readonly stop: () => Promise<void>
}

/** A connection to nowhere must not hold a user up for long. */
const patienceMs = 5000
/** After two failures: Retry-After would say a second. */
const restAfterFailureMs = 250
/** Hashing is what costs most, so users seldom sign in again. */
const roundsPerSession = 200

const password = 'correct horse battery staple'
const tokens = z.object({ access_token: z.string(), refresh_token: z.string() })

/** Starts users of its own, whose names nobody else has. Registration must be open. */
export function startLoad({ url, users = 4, pauseMs = 100 }: LoadOptions): Load {
  const tally = { calls: 0, cured: 0, failed: 0, lost: 0 }
  const stopping = new AbortController()
  const run = randomBytes(4).toString('hex')

  async function attempt(path: string, init: RequestInit): Promise<Response | undefined> {
    const signal = AbortSignal.timeout(patienceMs)
    const answer = await fetch(url + path, { ...init, signal }).catch(() => undefined)
    // 429 and 5xx say nothing about what was asked.
    return answer === undefined || answer.status >= 500 || answer.status === 429 ? undefined : answer
  }

  /** Repeats the same call until it is answered. @returns nothing when the load ends before */
  async function call(path: string, init: RequestInit): Promise<Response | undefined> {
    tally.calls += 1
    for (let tries = 1; ; tries += 1) {
      const answer = await attempt(path, init)
      if (answer) {
        if (tries === 2) tally.cured += 1
        return answer
      }
      if (tries === 2) tally.failed += 1
      if (stopping.signal.aborted) return undefined
      if (tries > 1) await delay(restAfterFailureMs)
    }
  }

  const post = (path: string, body: object, headers: Record<string, string> = {}) =>
    call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })

  async function liveOneSession(username: string): Promise<void> {
    const signIn = await post('/v1/login', { username, password, client_id: 'app' })
    if (!signIn?.ok) return
    let current = tokens.parse(await signIn.json())
    for (let round = 0; round < roundsPerSession && !stopping.signal.aborted; round += 1) {
      const check = await call('/v1/verify', { headers: { authorization: `Bearer ${current.access_token}` } })
      await check?.body?.cancel()
      await rest()
      const body = { refresh_token: current.refresh_token, client_id: 'app' }
      const turn = await post('/v1/refresh', body, { 'idempotency-key': randomUUID() })
      if (turn === undefined) return
      if (!turn.ok || check?.status === 401) {
        tally.lost += 1
        return
      }
      current = tokens.parse(await turn.json())
      await rest()
    }
  }

  const rest = () => delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)

  async function beUser(username: string): Promise<void> {
    await post('/v1/accounts', { username, password })
    while (!stopping.signal.aborted) {
      await liveOneSession(username)
      await rest()
    }
  }

  const lives = Array.from({ length: users }, (_, index) => beUser(`load-${run}-${index + 1}`))
  const ended = Promise.allSettled(lives)
  return {
    tally: () => tally,
    async stop() {
      stopping.abort()
      await ended
    },
  }
}
