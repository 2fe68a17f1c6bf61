/** What a call that reached the store leaves behind: in the store, and among the facts. */
import type { Effect, StoreCall } from './real-store.ts'
import type { Errand, Facts, Setup, Token, World } from './world.ts'

/** A call on its way, and the clock of the server that makes it. */
export interface Shown {
  readonly errand: Errand
  readonly token: Token
  readonly attempt: string
  readonly nowMs: number
  /** Whether it is made as another client than the session's. */
  readonly isForeign?: boolean
}

export function callOf({ errand, token, attempt, nowMs, isForeign }: Shown): StoreCall {
  const { sid, generation } = token
  switch (errand) {
    case 'refresh':
      return { verb: 'rotate', sid, generation, attempt, clientId: isForeign ? 'other' : 'app', nowMs }
    case 'login':
      return { verb: 'open', sid, nowMs }
    case 'logout by refresh token':
      return { verb: 'end', sid, by: 'refresh token', nowMs }
    case 'logout by access token':
      return { verb: 'end', sid, by: 'access token', nowMs }
    default:
      return errand satisfies never
  }
}

export function isGranted(answer: string): boolean {
  return answer === 'rotated' || answer === 'replayed' || answer === 'recovered'
}

/** The world after the store has answered, and before anybody has heard. */
export function land(world: World, shown: Shown, effect: Effect, setup: Setup): World {
  const { stored, ttlMs, announced } = effect
  const { nowMs, feed, recordEndsMs } = world
  return {
    ...world,
    stored,
    recordEndsMs: ttlMs === undefined ? recordEndsMs : nowMs + ttlMs,
    feed: union(feed, announced),
    earlier: earlierRecords(world, effect, setup),
    facts: learnt(world.facts, shown, effect.answer),
  }
}

/** Reading writes nothing; the loss of a write that is not to be lost cannot reach behind it. */
function earlierRecords({ stored, earlier }: World, effect: Effect, { failoverLoses }: Setup): readonly string[] {
  if (failoverLoses === undefined || effect.stored.record === stored.record) return earlier
  if (failoverLoses === 'rotations' && !isGranted(effect.answer)) return []
  return stored.record === null ? earlier : union(earlier, [stored.record])
}

function learnt(facts: Facts, { errand, token, attempt, nowMs }: Shown, answer: string): Facts {
  const { sid, generation } = token
  const { opened, left, ended, usedMs, spent } = facts
  const used = { ...usedMs, [sid]: Math.max(usedMs[sid] ?? 0, nowMs) }
  switch (errand) {
    case 'refresh':
      if (answer === 'rotated' || answer === 'recovered')
        return { ...facts, usedMs: used, spent: { ...spent, [sid + generation]: { attempt, atMs: nowMs } } }
      return answer === 'reused' ? { ...facts, ended: union(ended, [sid]) } : facts
    case 'login':
      if (answer !== 'opened' || opened.includes(sid)) return facts
      return { ...facts, opened: [...opened, sid], ended: union(ended, opened), usedMs: used }
    case 'logout by refresh token':
    case 'logout by access token':
      return { ...facts, left: union(left, [sid]), ended: union(ended, [sid]) }
    default:
      return errand satisfies never
  }
}

/** In order, so that the same set is always the same state. */
export function union<T extends string>(some: readonly T[], more: readonly T[]): readonly T[] {
  return [...new Set([...some, ...more])].toSorted()
}
