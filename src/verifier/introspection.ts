/**
 * Asking the issuer about a token, without crowding it: one call for all who ask about the same token at the same time,
 * sixteen at most for all tokens, and one alone while it is not known whether the issuer answers.
 */
import type { Clock, Moment } from './clock.ts'
import { withDeadline } from './deadline.ts'
import type { Issuer } from './issuer.ts'
import type { JsonObject } from './json.ts'
import { refused, type Refused } from './result.ts'
import { describe } from './shared-call.ts'

/** An introspection answer, undefined when the token is not active; and how long ago it was asked for. */
export interface Asked {
  readonly ok: true
  readonly answer: JsonObject | undefined
  readonly ageSeconds: number
}

/**
 * Who asks. `always`: introspection is how tokens are checked, so that each call is made. `fallback`: the feed cannot be
 * read, so introspection may be down too. `opaque`: the same once a call has failed; also for
 * tokens of which the feed cannot tell.
 */
export type Asker = 'always' | 'fallback' | 'opaque'

export interface Introspection {
  ask(token: string, asker: Asker): Promise<Asked | Refused>
  state(): IntrospectionState
}

export interface IntrospectionState {
  readonly calls: number
  readonly failures: number
  readonly lastFailure?: string
}

/** More would take an issuer down that is just coming up, with every verifier falling back at once. */
const CALLS_LIMIT = 16
/** For so long after an answer, the issuer is taken to be up. */
const TRUST_MS = 5000
/** Beyond the deadline of the call itself, so that its own failure is heard first. */
const GRACE_MS = 100

interface Call {
  readonly askedAt: Moment
  readonly answer: Promise<Asked | Refused>
}

export function createIntrospection(options: {
  readonly issuer: Pick<Issuer, 'introspect'>
  readonly clock: Clock
  readonly timeoutMs: number
  readonly pollMs: number
}): Introspection {
  const { issuer, clock, timeoutMs, pollMs } = options
  const limitMs = timeoutMs + GRACE_MS
  const counts = { calls: 0, failures: 0, lastFailure: undefined as string | undefined }
  const calls = new Map<string, Call>()
  /** Each returns whether somebody was still waiting. */
  const waiting: (() => boolean)[] = []
  let failedAt: Moment | undefined
  let answeredAt: Moment | undefined

  /** In workerd, a call dies with its request and tells nobody: then its time is up. */
  function underWay(): number {
    for (const [token, { askedAt }] of calls) if (clock.sinceMs(askedAt) > limitMs) calls.delete(token)
    return calls.size
  }

  function mayAsk(asker: Asker): boolean {
    if (asker === 'always' || (asker === 'opaque' && !failedAt)) return true
    if (clock.sinceMs(failedAt) < pollMs) return false
    return underWay() === 0 || (!failedAt && clock.sinceMs(answeredAt) < TRUST_MS)
  }

  async function turn(): Promise<boolean> {
    try {
      await withDeadline(
        limitMs,
        (signal) =>
          new Promise<void>((resolve) => {
            waiting.push(() => {
              resolve()
              return !signal.aborted
            })
          }),
      )
      return true
    } catch {
      return false
    }
  }

  async function call(token: string, askedAt: Moment): Promise<Asked | Refused> {
    counts.calls += 1
    try {
      const answer = await issuer.introspect(token)
      failedAt = undefined
      counts.lastFailure = undefined
      answeredAt = clock.now()
      return { ok: true, answer, ageSeconds: clock.sinceMs(askedAt) / 1000 }
    } catch (error) {
      failedAt = clock.now()
      counts.failures += 1
      counts.lastFailure = describe(error)
      return refused('revocation_unknown', 'the issuer cannot be asked')
    } finally {
      if (calls.get(token)?.askedAt === askedAt) calls.delete(token)
      while (waiting.length > 0 && !waiting.shift()?.());
    }
  }

  return {
    async ask(token, asker) {
      if (!calls.has(token) && !mayAsk(asker))
        return refused('revocation_unknown', 'the issuer could not be asked a moment ago, or is being asked')
      while (!calls.has(token) && underWay() >= CALLS_LIMIT)
        if (!(await turn())) return refused('revocation_unknown', 'too many calls to the issuer are under way')
      underWay()
      const askedAt = clock.now()
      const shared = calls.get(token)
      if (!shared) {
        const begun = { askedAt, answer: call(token, askedAt) }
        calls.set(token, begun)
        return begun.answer
      }
      return withDeadline(limitMs, () => shared.answer).catch(() =>
        refused('revocation_unknown', 'the issuer did not answer in time'),
      )
    },
    state() {
      const { lastFailure, ...rest } = counts
      return { ...rest, ...(lastFailure === undefined ? {} : { lastFailure }) }
    },
  }
}
