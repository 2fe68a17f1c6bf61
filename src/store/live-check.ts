/**
 * The live check of access tokens, with what the isolate remembers of earlier ones.
 *
 * | answered | when | says |
 * | --- | --- | --- |
 * | from the store | otherwise | `live` |
 * | from memory | the last check is at most `cacheMs` old | `cached` |
 * | from memory | the store fails and the last check is at most `staleMs` old | `stale` |
 *
 * Only a yes is remembered: a no is always the store's own.
 */
import { LRUCache } from 'lru-cache'
import { StoreUnavailable } from '../failure.ts'
import { keptAnyway, type Keep } from '../keep.ts'
import type { Clock } from '../system.ts'
import type { LiveSession, Store } from './store.ts'

export interface CheckedToken {
  readonly userId: string
  readonly sid: string
  readonly jti: string
}

export type LiveCheckAnswer =
  | { readonly live: true; readonly session: LiveSession; readonly how: 'live' | 'cached' | 'stale' }
  | { readonly live: false }

interface Demand {
  /** Demands the store's own answer. */
  readonly fresh: boolean
  readonly keep?: Keep | undefined
}

export interface LiveCheck {
  /**
   * @throws {StoreUnavailable} when neither the store nor memory can tell
   */
  check(token: CheckedToken, demand: Demand): Promise<LiveCheckAnswer>
  /** Drops what is remembered of a user, because this isolate has just ended a session of theirs, or heard that one is gone. */
  forget(userId: string): void
  /** Drops what is remembered of everybody, because every session of everyone has just been ended here. */
  forgetEveryone(): void
}

/** About 4 MB of memory at most. */
const USERS_LIMIT = 10_000
/** A user has few live access tokens; more come from refreshing in a loop. */
const TOKENS_PER_USER_LIMIT = 16

interface Yes {
  readonly session: LiveSession
  /** When the store was asked, so before it answered. */
  readonly askedAtMs: number
}

export function createLiveCheck({
  store,
  clock,
  cacheMs,
  staleMs,
}: {
  readonly store: Pick<Store, 'check'>
  readonly clock: Clock
  readonly cacheMs: number
  readonly staleMs: number
}): LiveCheck {
  const users = new LRUCache<string, Map<string, Yes>>({ max: USERS_LIMIT })

  function rememberedOf(userId: string): Map<string, Yes> {
    const known = users.get(userId)
    if (known) return known
    const fresh = new Map<string, Yes>()
    users.set(userId, fresh)
    return fresh
  }

  return {
    async check(token, { fresh, keep = keptAnyway }) {
      const nowMs = clock.nowMs()
      // Held across the call: if the user is forgotten meanwhile, what we learn goes into a map nobody reads.
      const remembered = rememberedOf(token.userId)
      const yes = fresh ? undefined : remembered.get(token.jti)
      if (yes && isWithin(cacheMs, yes, nowMs)) return { live: true, session: yes.session, how: 'cached' }
      try {
        const found = await keep(store.check({ ...token, nowMs }))
        remembered.delete(token.jti)
        // The session is gone, and with it all of its tokens: those that are remembered too.
        if (found.status === 'ended') users.delete(token.userId)
        if (found.status !== 'live') return { live: false }
        for (const [jti] of remembered) if (remembered.size >= TOKENS_PER_USER_LIMIT) remembered.delete(jti)
        remembered.set(token.jti, { session: found.session, askedAtMs: nowMs })
        return { live: true, session: found.session, how: 'live' }
      } catch (error) {
        const stillKnown = users.peek(token.userId) === remembered
        if (!(error instanceof StoreUnavailable) || !yes || !stillKnown) throw error
        if (!isWithin(staleMs, yes, nowMs)) throw error
        return { live: true, session: yes.session, how: 'stale' }
      }
    },

    forget(userId) {
      users.delete(userId)
    },

    forgetEveryone() {
      users.clear()
    },
  }
}

/** A clock that was set back makes an answer look as if it came from the future: such a one is too old. */
function isWithin(boundMs: number, { askedAtMs }: Yes, nowMs: number): boolean {
  const ageMs = nowMs - askedAtMs
  return ageMs >= 0 && ageMs < boundMs
}
