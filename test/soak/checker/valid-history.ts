/**
 * Histories that a right service could have written, for the checker's own tests: two devices of a user, a thief, answers
 * that are slow or never come, a check that is remembered, a failover that loses writes. Each request does its work at one
 * moment between its beginning and its end, and the moments follow one another on one plain model of the session.
 */
import fc from 'fast-check'
import type { History, HistoryLine, Operation } from '../history.ts'

export const bounds = {
  answerMs: 4000,
  hashedAnswerMs: 9000,
  cacheMs: 1000,
  staleMs: 30_000,
  accessMs: 300_000,
  lossMs: 2000,
}
export const runLine: HistoryLine = { line: 'run', seed: 1, minutes: 1, users: 1, bounds }

/** Whatever has no answer in these histories has this cause. */
const cause: HistoryLine = { line: 'fault', id: 2, kind: 'server-killed', phase: 'begin', atMs: 0 }

const step = fc.record({
  kind: fc.constantFrom(
    'login',
    'refresh',
    'refresh',
    'verify',
    'verify',
    'verify-fresh',
    'introspect',
    'revoke',
    'logout',
    'theft',
  ),
  device: fc.constantFrom(0, 1),
  gapMs: fc.nat(700),
  /** From its beginning to its moment, and from there to its end. */
  thereMs: fc.integer({ min: 1, max: 600 }),
  backMs: fc.integer({ min: 1, max: 600 }),
  isLost: fc.nat(9).map((dice) => dice === 0),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Live {
  readonly sid: string
  readonly generation: number
}
interface Held extends Live {
  readonly jti: string
}

/** A record, and what each device holds; asked in the order of moments. */
class Model {
  live: Live | undefined
  /** A session that was ended because of reuse. */
  reused: string | undefined
  denied = new Set<string>()
  private made = 0

  login(): Held {
    this.made++
    this.live = { sid: `s${this.made}`, generation: 0 }
    this.reused = undefined
    return { ...this.live, jti: `j${this.made}` }
  }

  refresh({ sid, generation }: Live): Held | string {
    if (this.reused === sid) return 'refresh_reused'
    if (!this.live) return 'session_unknown'
    if (this.live.sid !== sid) return 'session_superseded'
    if (generation < this.live.generation - 1) {
      this.reused = sid
      this.live = undefined
      return 'refresh_reused'
    }
    this.made++
    this.live = { sid, generation: generation + 1 }
    return { ...this.live, jti: `j${this.made}` }
  }

  logout({ sid }: Live): void {
    if (this.live?.sid === sid) this.live = undefined
  }

  snapshot(): () => void {
    const { live, reused, denied } = this
    // Denials are never taken from the set that a snapshot keeps.
    this.denied = new Set(denied)
    return () => {
      this.live = live
      this.reused = reused
      this.denied = new Set(denied)
    }
  }
}

/** @param failover whether a primary is killed half way, and the last second's writes are lost */
export function validHistory({ failover }: { readonly failover: boolean }): fc.Arbitrary<History> {
  return fc.array(step, { minLength: 4, maxLength: 40 }).map((steps) => simulate(steps, failover))
}

function simulate(steps: readonly Step[], failover: boolean): History {
  const model = new Model()
  const held: (Held | undefined)[] = [undefined, undefined]
  const stolen: Live[] = []
  const remembered = new Map<string, number>()
  const lines: HistoryLine[] = [runLine, cause]
  const snapshots: { readonly atMs: number; readonly restore: () => void }[] = []
  let nowMs = 0
  let busyUntilMs = [0, 0]
  const killAtMs = failover ? steps.reduce((sum, { gapMs }) => sum + gapMs, 0) / 2 : Infinity
  let isKilled = false

  // Devices overlap when their steps do; the moments are taken in the order of the steps.
  let momentMs = 0
  for (const [id, one] of steps.entries()) {
    nowMs = Math.max(nowMs + one.gapMs, busyUntilMs[one.device] ?? 0)
    momentMs = Math.max(momentMs + 1, nowMs + one.thereMs)
    const endMs = momentMs + one.backMs
    if (!isKilled && momentMs >= killAtMs) {
      isKilled = true
      // What was written in the last second is gone.
      snapshots.findLast(({ atMs }) => atMs <= killAtMs - 1000)?.restore()
      lines.push({ line: 'fault', id: 1, kind: 'primary-killed', phase: 'begin', atMs: killAtMs })
      lines.push({ line: 'fault', id: 1, kind: 'primary-killed', phase: 'end', atMs: killAtMs + 1 })
    }
    const place = { line: 'operation' as const, id, user: 'u', client: `u/${one.device}`, startMs: nowMs, endMs }
    const mine = held[one.device]
    const operation = act({ one, place, mine, momentMs })
    if (operation) {
      lines.push(operation)
      busyUntilMs = busyUntilMs.map((untilMs, device) => (device === one.device ? endMs + 1 : untilMs))
      snapshots.push({ atMs: momentMs, restore: model.snapshot() })
    }
  }
  return lines

  function act({ one, place, mine, momentMs: atMs }: Acting): Operation | undefined {
    const unavailable = place.id % 2 === 0 ? { status: 503, retryAfter: '1', byService: true } : {}
    const answer = one.isLost ? unavailable : { byService: true }
    const gain = (tokens: Held): Partial<Operation> => {
      if (one.isLost) return answer
      held[one.device] = tokens
      return { ...answer, status: 200, gained: { ...tokens, kid: 'k' } }
    }
    if (one.kind === 'login') return { ...place, as: 'owner', kind: 'login', ...gain(model.login()) }
    if (one.kind === 'theft') {
      const token = stolen.at(-1)
      if (!token) return undefined
      const turn = model.refresh(token)
      const said =
        typeof turn === 'string' ? { status: 401, code: turn } : { status: 200, gained: { ...turn, kid: 'k' } }
      return { ...place, as: 'thief', kind: 'refresh', ...token, ...answer, ...(one.isLost ? {} : said) }
    }
    if (!mine) return undefined
    const { sid, jti, generation } = mine
    switch (one.kind) {
      case 'refresh': {
        stolen.push({ sid, generation: Math.max(0, generation - 2) })
        const turn = model.refresh(mine)
        const shown = { ...place, as: 'owner' as const, kind: 'refresh' as const, sid, generation, ...answer }
        if (typeof turn !== 'string') return { ...shown, ...gain(turn) }
        return { ...shown, ...(one.isLost ? {} : { status: 401, code: turn }) }
      }
      case 'logout':
        model.logout(mine)
        if (!one.isLost) held[one.device] = undefined
        return {
          ...place,
          as: 'owner',
          kind: 'logout',
          sid,
          generation,
          ...answer,
          ...(one.isLost ? {} : { status: 204 }),
        }
      case 'revoke':
        model.denied.add(jti)
        return { ...place, as: 'owner', kind: 'revoke', sid, jti, ...answer, ...(one.isLost ? {} : { status: 200 }) }
      case 'introspect': {
        const active = model.live?.sid === sid && !model.denied.has(jti)
        const said = one.isLost ? {} : { status: 200, active }
        return { ...place, as: 'owner', kind: 'introspect', sid, jti, ...answer, ...said }
      }
      case 'verify':
      case 'verify-fresh':
        return {
          ...place,
          as: 'owner',
          kind: one.kind,
          sid,
          jti,
          ...answer,
          ...(one.isLost ? {} : verdict(one.kind, mine, atMs)),
        }
      default:
        throw new Error(one.kind)
    }
  }

  function verdict(kind: 'verify' | 'verify-fresh', { sid, jti }: Held, atMs: number): Partial<Operation> {
    const rememberedMs = remembered.get(jti)
    if (kind === 'verify' && rememberedMs !== undefined && atMs - rememberedMs < bounds.cacheMs)
      return { status: 204, check: 'cached' }
    if (model.live?.sid !== sid || model.denied.has(jti)) return { status: 401, code: 'invalid_token' }
    remembered.set(jti, atMs)
    return { status: 204, check: 'live' }
  }
}

interface Acting {
  readonly one: Step
  readonly place: Pick<Operation, 'line' | 'id' | 'user' | 'client' | 'startMs' | 'endMs'>
  readonly mine: Held | undefined
  readonly momentMs: number
}
