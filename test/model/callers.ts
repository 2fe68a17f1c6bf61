/**
 * What tabs and other clients do, step by step.
 *
 * **They follow the rules**, which is what the invariants promise something for:
 *
 * 1. A caller runs one errand at a time. A refresh has a fresh `Idempotency-Key`, and is repeated with that key until an
 *    answer was heard; so are a login (with its `sid`: the store's own retry) and a logout.
 * 2. A call that was given up on arrives before the caller's next errand begins, or never.
 * 3. Tabs that share a jar refresh in rounds: no tab sends a refresh while one with an older token than the jar holds
 *    now is still in the air. Any number may race with the same token. A sign-in waits for them, and they for it.
 * 4. Each refresh of a shared jar, with its repetitions, is answered within half the replay window. (A tab that is closed
 *    before its answer came counts as unanswered: only the window itself bounds that.) Needless if tabs
 *    agree on one key for each token.
 * 5. Where two logins race, neither is repeated. (The store's own retry comes within `STORE_TIMEOUT_MS`; a person who
 *    tries again gets a session of another `sid`.)
 *
 * 3 and 4 hold by themselves where a jar has one owner.
 */
import { callOf, isGranted, land, type Shown } from './landing.ts'
import type { Move } from './moves.ts'
import { TICK_MS } from './real-store.ts'
import type { Caller, Errand, Setup, Token, World } from './world.ts'

export function callerMoves(world: World, setup: Setup): Move[] {
  return world.callers.flatMap((caller, place) => movesOf({ world, setup, caller, place }))
}

interface Turn {
  readonly world: World
  readonly setup: Setup
  readonly caller: Caller
  readonly place: number
}

function movesOf(turn: Turn): Move[] {
  return [...ownMoves(turn), ...lateMoves(turn)]
}

function ownMoves(turn: Turn): Move[] {
  const { world, caller } = turn
  const errand = errandOf(caller)
  switch (caller.phase) {
    case 'ready':
      return begins(turn)
    case 'sent':
      return [...arrivals(turn), ...losses(turn)]
    case 'answered':
      return [
        { label: `${caller.name} hears: ${caller.answer}`, world: hear(turn) },
        {
          label: `${caller.name} never hears: ${caller.answer}`,
          world: change(turn, { phase: 'unanswered', answer: '' }),
        },
      ]
    case 'unanswered': {
      // A browser shows whatever its jar holds by now.
      const token = errand === 'refresh' ? (world.jars[caller.jar] ?? null) : caller.token
      if (!token || !maySend(turn)) return []
      return [
        { label: `${caller.name} tries again: ${tell(errand, token)}`, world: change(turn, { phase: 'sent', token }) },
      ]
    }
    case 'out':
      return []
    default:
      return caller.phase satisfies never
  }
}

function begins(turn: Turn): Move[] {
  const { world, setup, caller } = turn
  const errand = caller.errands[caller.begun]
  const held = world.jars[caller.jar] ?? null
  const token = errand === 'login' && caller.opens ? { sid: caller.opens, generation: 0 } : held
  if (!errand || !token || !maySend(turn)) return []
  if (caller.late && setup.lateCalls === 'before the next errand') return []
  const begun = caller.begun + 1
  const next = change(turn, { phase: 'sent', token, begun, beganMs: isShared(turn) ? world.nowMs : 0 })
  return [{ label: `${caller.name} sends: ${tell(errand, token)}`, world: next }]
}

/** Rules 3 and 5. Logouts wait for nobody. */
function maySend(turn: Turn): boolean {
  const { world, setup, caller } = turn
  const errand = caller.errands[caller.phase === 'ready' ? caller.begun : caller.begun - 1]
  const isRacing = errand === 'login' && world.callers.some((one) => one !== caller && one.opens !== null)
  if (caller.phase === 'unanswered' && isRacing && setup.broken !== 'logins apart') return false
  if (setup.broken === 'rounds' || !isShared(turn) || (errand !== 'refresh' && errand !== 'login')) return true
  const held = world.jars[caller.jar]
  return inTheAir(turn).every((other) => {
    if (other.errand === 'login') return errand === 'login' && other.token.sid === caller.token?.sid
    if (other.errand !== 'refresh') return true
    return errand === 'refresh' && other.token.sid === held?.sid && other.token.generation === held.generation
  })
}

/** What others of the same jar have under way, and whatever may still arrive late. */
function inTheAir({ world, caller }: Turn): { readonly errand: Errand; readonly token: Token }[] {
  const sharing = world.callers.filter(({ jar }) => jar === caller.jar)
  return sharing.flatMap((one) => {
    const { phase, token, late } = one
    const isUnderWay = one !== caller && (phase === 'sent' || phase === 'answered')
    const current = isUnderWay && token ? { errand: errandOf(one), token } : null
    return [current, late].filter((call) => call !== null)
  })
}

function arrivals(turn: Turn): Move[] {
  const { world, setup, caller } = turn
  const { token } = caller
  if (!token) return []
  const { nowMs } = world
  const clocks = setup.slowServers ? [nowMs, nowMs - TICK_MS] : [nowMs]
  return clocks.map((clockMs) => {
    const shown: Shown = { errand: errandOf(caller), token, attempt: attemptOf(turn), nowMs: clockMs }
    return {
      label: `${caller.name}: ${tell(shown.errand, token)} arrives${clockMs < nowMs ? ' through a slow server' : ''}`,
      shown,
      call: callOf(shown),
      next: (effect) => {
        const landed = land(world, shown, effect, setup)
        return change({ ...turn, world: landed }, { phase: 'answered', answer: effect.answer })
      },
    }
  })
}

function losses(turn: Turn): Move[] {
  const { world, setup, caller } = turn
  const { token } = caller
  const lost: Move = { label: `${caller.name}: its call is lost`, world: change(turn, { phase: 'unanswered' }) }
  if (setup.lateCalls === undefined || caller.late || !token) return [lost]
  const late = { errand: errandOf(caller), token, attempt: attemptOf(turn), nowMs: world.nowMs }
  return [lost, { label: `${caller.name} gives up on its call`, world: change(turn, { phase: 'unanswered', late }) }]
}

function lateMoves(turn: Turn): Move[] {
  const { world, setup, caller } = turn
  const { late } = caller
  if (!late) return []
  const next: Move = {
    label: `${caller.name}: ${tell(late.errand, late.token)} arrives late`,
    shown: late,
    call: callOf(late),
    next: (effect) => change({ ...turn, world: land(world, late, effect, setup) }, { late: null }),
  }
  return [next, { label: `${caller.name}: the late call is lost`, world: change(turn, { late: null }) }]
}

/** The answer reaches the caller, and through it the jar. */
function hear(turn: Turn): World {
  const { caller, world } = turn
  const { token, answer } = caller
  const isDone = isGranted(answer) || ['opened', 'ended', 'gone'].includes(answer)
  const heard = change(turn, { phase: isDone ? 'ready' : 'out', token: null, beganMs: 0, answer: '' })
  if (!isDone || !token) return heard
  const jars = world.jars.with(caller.jar, holding(token, answer))
  return { ...heard, jars }
}

function holding({ sid, generation }: Token, answer: string): Token | null {
  if (answer === 'opened') return { sid, generation }
  return isGranted(answer) ? { sid, generation: generation + 1 } : null
}

function change({ world, place }: Turn, changes: Partial<Caller>): World {
  return { ...world, callers: world.callers.map((one, at) => (at === place ? { ...one, ...changes } : one)) }
}

/** The errand under way. */
export function errandOf({ errands, begun }: Caller): Errand {
  return errands[begun - 1] ?? 'refresh'
}

function attemptOf({ setup, caller: { attempts, begun, token } }: Turn): string {
  return setup.agreedKeys ? `key-${token?.sid}${token?.generation}` : `${attempts}.${begun}`
}

function isShared({ world, caller }: Turn): boolean {
  return world.callers.filter(({ jar }) => jar === caller.jar).length > 1
}

export function tell(errand: Errand, { sid, generation }: Token): string {
  return errand === 'refresh' ? `refresh of ${sid}${generation}` : `${errand} ${sid}`
}
