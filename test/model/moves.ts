/** All that may happen next: what callers do, what a thief does, what the clock does, and what befalls the store. */
import { callerMoves, errandOf, tell } from './callers.ts'
import { callOf, isGranted, land, union, type Shown } from './landing.ts'
import { TICK_MS, type Effect, type StoreCall } from './real-store.ts'
import { IDLE_MS, WINDOW_MS, type Allowance, type Setup, type World } from './world.ts'

/** One step. One that calls the store ends where the store's answer leads. */
export type Move =
  | { readonly label: string; readonly world: World }
  | {
      readonly label: string
      readonly call: StoreCall
      readonly shown: Shown
      readonly next: (effect: Effect) => World
    }

export function movesFrom(world: World, setup: Setup): Move[] {
  if (world.facts.opened.length === 0) return [signIn(world, setup)]
  return [
    ...callerMoves(world, setup),
    ...thiefMoves(world, setup),
    ...clockMoves(world, setup),
    ...endings(world),
    ...mishaps(world),
  ]
}

/** How every story begins. */
function signIn(world: World, setup: Setup): Move {
  const shown: Shown = { errand: 'login', token: { sid: 'A', generation: 0 }, attempt: '', nowMs: world.nowMs }
  return {
    label: 'the user signs in: A',
    shown,
    call: callOf(shown),
    next: (effect) => land(world, shown, effect, setup),
  }
}

/** Copies any token that lies in a jar, once, and refreshes with it, each time by a key of its own. */
function thiefMoves(world: World, setup: Setup): Move[] {
  const { thief, jars, nowMs, facts } = world
  if (!thief) return []
  const { token, uses } = thief
  if (!token)
    return jars
      .filter((held) => held !== null)
      .map((held) => ({
        label: `a thief copies ${held.sid}${held.generation}`,
        world: { ...world, thief: { token: held, uses } },
      }))
  if (uses === 0) return []
  const shown: Shown = { errand: 'refresh', token, attempt: `thief.${uses}`, nowMs }
  const robbed = [...new Set([...facts.robbed, token.sid])]
  const asOther: Shown = { ...shown, isForeign: true }
  return [
    {
      label: `the thief: ${tell('refresh', token)}`,
      shown,
      call: callOf(shown),
      next: (effect) => {
        const landed = land(world, shown, effect, setup)
        const next = isGranted(effect.answer) ? { ...token, generation: token.generation + 1 } : token
        return { ...landed, facts: { ...landed.facts, robbed }, thief: { token: next, uses: uses - 1 } }
      },
    },
    {
      label: `the thief, as another client: ${tell('refresh', token)}`,
      shown: asOther,
      call: callOf(asOther),
      next: (effect) => land(world, asOther, effect, setup),
    },
  ]
}

function clockMoves(world: World, setup: Setup): Move[] {
  const { allowed, nowMs } = world
  const moves: Move[] = []
  const pass = (label: string, ms: number, less: Partial<Allowance>) => {
    if (mayPass(world, setup, ms)) moves.push({ label, world: later(world, nowMs + ms, { ...allowed, ...less }) })
  }
  if (allowed.ticks > 0) pass('half a window passes', TICK_MS, { ticks: allowed.ticks - 1 })
  if (allowed.pauses > 0) pass('a minute passes', 60_000, { pauses: allowed.pauses - 1 })
  // Twice that is more than a day after the end, when Redis forgets the record.
  if (allowed.sleeps > 0) pass('a week passes', IDLE_MS, { sleeps: allowed.sleeps - 1 })
  return moves
}

/** Rule 4 of the callers. */
function mayPass({ callers, nowMs }: World, { broken }: Setup, ms: number): boolean {
  if (broken === 'half a window') return true
  return callers.every((one) => {
    const isUnderWay = one.phase !== 'ready' && one.phase !== 'out' && errandOf(one) === 'refresh'
    const isShared = callers.some((other) => other !== one && other.jar === one.jar)
    return !isUnderWay || !isShared || nowMs + ms - one.beganMs <= WINDOW_MS / 2
  })
}

function later(world: World, nowMs: number, allowed: Allowance): World {
  if (nowMs < world.recordEndsMs) return { ...world, nowMs, allowed }
  return { ...world, nowMs, allowed, stored: { ...world.stored, record: null } }
}

/** Every session ends, of this user too. What the script does to the epoch is done to it here: it has all buckets for itself. */
function endings(world: World): Move[] {
  const { allowed, stored, feed, facts } = world
  if (allowed.endings === 0 || isSomebodySigningIn(world)) return []
  return [
    {
      label: 'an administrator ends every session of everyone',
      world: {
        ...world,
        stored: { ...stored, epoch: `ending-${allowed.endings}` },
        feed: union(feed, facts.opened),
        facts: { ...facts, left: union(facts.left, facts.opened), ended: union(facts.ended, facts.opened) },
        allowed: { ...allowed, endings: allowed.endings - 1 },
      },
    },
  ]
}

/** A sign-in that was ended may not be tried again: rule 5 of the callers. */
function isSomebodySigningIn({ callers }: World): boolean {
  return callers.some((one) => one.phase !== 'ready' && one.phase !== 'out' && errandOf(one) === 'login')
}

/** A failover to a replica that lags behind, an eviction, a damaged value, a lost account, a lost epoch. */
function mishaps(world: World): Move[] {
  const { allowed, stored, earlier, facts } = world
  const moves: Move[] = []
  if (allowed.failovers > 0)
    for (const [place, record] of earlier.entries())
      moves.push({
        label: `a failover brings an earlier record back (${place + 1} of ${earlier.length})`,
        world: {
          ...world,
          stored: { ...stored, record },
          facts: { ...facts, lost: 'write' },
          allowed: { ...allowed, failovers: allowed.failovers - 1 },
        },
      })
  if (allowed.mishaps === 0) return moves
  const less = { ...world, allowed: { ...allowed, mishaps: allowed.mishaps - 1 } }
  const lost = { ...facts, lost: 'record' } as const
  if (stored.record !== null) {
    moves.push({ label: 'the record is evicted', world: { ...less, facts: lost, stored: { ...stored, record: null } } })
    for (const record of ['["r",[["', '["r",{}]', '[]'])
      moves.push({
        label: `the record is damaged: ${record}`,
        world: { ...less, facts: lost, stored: { ...stored, record } },
      })
  }
  if (stored.epoch !== null && !isSomebodySigningIn(world))
    moves.push({
      label: 'the epoch is lost',
      world: {
        ...less,
        facts: { ...lost, ended: union(facts.ended, facts.opened) },
        stored: { ...stored, epoch: null },
      },
    })
  moves.push({ label: 'the account is lost', world: { ...less, stored: { ...stored, hasAccount: false } } })
  return moves
}
