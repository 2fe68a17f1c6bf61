/** A state of the model: what the store holds, what everybody else holds, and what has been promised so far. */
import type { Sid, Stored } from './real-store.ts'

export const T0 = 1_800_000_000_000
export const WINDOW_MS = 10_000
export const IDLE_MS = 7 * 86_400_000

/** A refresh token. A copy is as good as the token. */
export interface Token {
  readonly sid: Sid
  readonly generation: number
}

export type Errand = 'refresh' | 'login' | 'logout by refresh token' | 'logout by access token'

/** A call that somebody has given up on and that may still arrive, with the clock of the server that sent it. */
export interface LateCall {
  readonly errand: Errand
  readonly token: Token
  readonly attempt: string
  readonly nowMs: number
}

/**
 * A tab, or a client with a jar of its own, that runs its errands one after the other.
 *
 * - `ready`: nothing is under way
 * - `sent`: the call is on its way to the store
 * - `answered`: the store's answer is on its way back
 * - `unanswered`: the call or its answer was lost
 * - `out`: a refusal was heard
 */
export interface Caller {
  readonly name: string
  /** Callers of one kind are interchangeable. */
  readonly kind: string
  /** What the names of its attempts begin with: `@` and a digit. */
  readonly attempts: string
  /** Which jar it reads and writes; tabs share one. */
  readonly jar: number
  readonly errands: readonly Errand[]
  /** How many of them have begun: names the attempt. */
  readonly begun: number
  readonly phase: 'ready' | 'sent' | 'answered' | 'unanswered' | 'out'
  /** Of the errand under way: the token it shows, for a login the one it asks for; and when it began. */
  readonly token: Token | null
  readonly beganMs: number
  readonly answer: string
  readonly late: LateCall | null
  /** The session that its login opens. */
  readonly opens: Sid | null
}

export interface Thief {
  /** What was copied, and what it was exchanged for since. */
  readonly token: Token | null
  readonly uses: number
}

/** What has happened, for the invariants to compare with. */
export interface Facts {
  /** In the order in which the store opened them. */
  readonly opened: readonly Sid[]
  /** Ended by a logout. */
  readonly left: readonly Sid[]
  /** The store has said that they ended: by logout, by a newer login, by reuse. */
  readonly ended: readonly Sid[]
  /** When each session was last used. */
  readonly usedMs: Readonly<Partial<Record<Sid, number>>>
  /** By which attempt each token was exchanged, and when: by `<sid><generation>`. */
  readonly spent: Readonly<Record<string, { readonly attempt: string; readonly atMs: number }>>
  /** Whose token a thief has shown. */
  readonly robbed: readonly Sid[]
  /** The store has lost the record, or an acknowledged write. */
  readonly lost: 'nothing' | 'write' | 'record'
}

/** How often each thing may still happen. */
export interface Allowance {
  /** Half a replay window goes by. */
  readonly ticks: number
  /** More than the replay window goes by. */
  readonly pauses: number
  /** More than the idle time goes by. */
  readonly sleeps: number
  /** An administrator ends every session of everyone. */
  readonly endings: number
  /** The store loses an acknowledged write. */
  readonly failovers: number
  /** The store loses the record, or finds it unreadable, or loses the account or the epoch. */
  readonly mishaps: number
}

export interface World {
  readonly nowMs: number
  readonly stored: Stored
  /** When Redis drops the record. */
  readonly recordEndsMs: number
  readonly feed: readonly string[]
  /** Records that a failover may bring back. */
  readonly earlier: readonly string[]
  readonly jars: readonly (Token | null)[]
  readonly callers: readonly Caller[]
  readonly thief: Thief | null
  readonly facts: Facts
  readonly allowed: Allowance
}

/** Which freedoms the actors have. What is left out, they do not have. */
export interface Setup {
  readonly name: string
  readonly callers: readonly {
    readonly name: string
    readonly jar: number
    readonly errands: readonly Errand[]
    readonly opens?: Sid
  }[]
  readonly thief?: { readonly uses: number }
  readonly allowed?: Partial<Allowance>
  /** Some servers' clocks are half a replay window slow. */
  readonly slowServers?: boolean
  /** Tabs send one and the same key with a token, as if they had agreed on it. */
  readonly agreedKeys?: boolean
  /** Calls that were given up on may arrive: before the caller's next errand only, or `whenever`. */
  readonly lateCalls?: 'before the next errand' | 'whenever'
  /** Which rule of the callers is broken, to show that it is needed. */
  readonly broken?: 'rounds' | 'half a window' | 'logins apart'
  /** Which writes a failover may lose. */
  readonly failoverLoses?: 'rotations' | 'any write'
}

export function firstWorld({ callers, thief, allowed }: Setup): World {
  return {
    nowMs: T0,
    stored: { record: null, denied: [], hasAccount: true, epoch: null },
    recordEndsMs: T0,
    feed: [],
    earlier: [],
    jars: [...new Set(callers.map(({ jar }) => jar))].map((jar) => (jar === 0 ? { sid: 'A', generation: 0 } : null)),
    callers: callers.map(({ name, jar, errands, opens = null }, place) => ({
      name,
      kind: [jar, opens, ...errands].join(),
      attempts: `@${place}`,
      jar,
      errands,
      opens,
      begun: 0,
      phase: 'ready',

      token: null,
      beganMs: 0,
      answer: '',
      late: null,
    })),
    thief: thief ? { token: null, uses: thief.uses } : null,
    facts: { opened: [], left: [], ended: [], usedMs: {}, spent: {}, robbed: [], lost: 'nothing' },
    allowed: { ticks: 0, pauses: 0, sleeps: 0, endings: 0, failovers: 0, mishaps: 0, ...allowed },
  }
}
