/**
 * The revocation feed, followed from memory.
 *
 * Ages are measured on this machine alone: how old the issuer's answer was when it was made (by the issuer's clock, start
 * and end), plus the time since it was asked for (by ours). The two clocks are never compared.
 */
import type { Clock, Moment } from './clock.ts'
import type { Issuer } from './issuer.ts'
import { createOutdated } from './outdated.ts'
import { createRevoked, type RevokedKind } from './revoked.ts'
import { createSharedCall, type WaitUntil } from './shared-call.ts'

export interface Feed {
  /** Polls, if the last poll was begun long enough ago. Does not wait. */
  tend(waitUntil?: WaitUntil): void
  /** Waits for the poll under way until its deadline, unless the one before it failed. */
  settled(): Promise<void>
  has(kind: RevokedKind, id: string): boolean
  /** Whether the roles of the session have changed since. */
  isOutdated(sid: string, iat: number): boolean
  /** All that was revoked longer ago than this is held. Infinity before the first poll is through. */
  ageSeconds(): number
  /** The issuer's time, in seconds since the epoch, as far as the feed has told it; rather behind than ahead. */
  issuerSeconds(): number | undefined
  close(): void
  state(): FeedState
}

export interface FeedState {
  /** Seconds by which the feed is behind; absent before the first poll is through. */
  readonly lagSeconds?: number
  readonly entries: number
  readonly polls: number
  readonly failures: number
  readonly lastFailure?: string
}

/** Above what the clocks of the issuer's servers differ by. */
const ISSUER_SKEW_SECONDS = 60

interface Freshness {
  readonly askedAt: Moment
  /** How old the answer was when it was made. */
  readonly answerAgeSeconds: number
  readonly answeredAt: Moment
  readonly issuerSeconds: number
}

export function createFeed(options: {
  readonly issuer: Pick<Issuer, 'readFeed'>
  readonly clock: Clock
  readonly pollMs: number
  readonly timeoutMs: number
  /** Tokens are taken for so long after they expired, so revocations are kept for so long too. */
  readonly toleranceSeconds: number
}): Feed {
  const { issuer, clock, pollMs, timeoutMs, toleranceSeconds } = options
  const revoked = createRevoked()
  const outdated = createOutdated()
  let cursor: string | undefined
  let fresh: Freshness | undefined
  let isClosed = false
  let hasFailed = false

  const ageOf = ({ askedAt, answerAgeSeconds }: Freshness) => answerAgeSeconds + clock.sinceMs(askedAt) / 1000
  const ageSeconds = () => (fresh ? ageOf(fresh) : Number.POSITIVE_INFINITY)
  const issuerSeconds = () =>
    fresh && fresh.issuerSeconds + (clock.now().monotonicMs - fresh.answeredAt.monotonicMs) / 1000

  const polling = createSharedCall({
    clock,
    limitMs: timeoutMs,
    async run(step) {
      try {
        while (await readPage(step));
        hasFailed = false
      } catch (error) {
        hasFailed = true
        throw error
      }
    },
  })

  /** @returns whether there is more */
  async function readPage(step: () => void): Promise<boolean> {
    step()
    const askedAt = clock.now()
    const page = await issuer.readFeed(cursor)
    for (const { kind, id, exp, before } of page.entries)
      if (kind === 'sid' && before !== undefined) outdated.add(id, before, exp)
      else revoked.add(kind, id, exp)
    // Entries are only ever added, so a page that comes late, or again, or after a reset, takes nothing away.
    cursor = page.cursor
    if (page.more) return !isClosed
    const answer: Freshness = {
      askedAt,
      answerAgeSeconds: Math.max(0, page.nowSeconds - page.asOfSeconds),
      answeredAt: clock.now(),
      issuerSeconds: page.nowSeconds,
    }
    if (ageOf(answer) < ageSeconds()) fresh = answer
    const forgetBefore = page.nowSeconds - ISSUER_SKEW_SECONDS - toleranceSeconds
    revoked.prune(forgetBefore)
    outdated.prune(forgetBefore)
    return false
  }

  return {
    ageSeconds,
    issuerSeconds,
    has: (kind, id) => revoked.has(kind, id),
    isOutdated: (sid, iat) => outdated.has(sid, iat),
    tend(waitUntil) {
      if (!isClosed && polling.sinceStartMs() >= pollMs) polling.start(waitUntil)
    },
    async settled() {
      if (!hasFailed) await polling.settled()
    },
    close() {
      isClosed = true
    },
    state() {
      const { calls, failures, lastFailure } = polling.counts
      return {
        ...(fresh === undefined ? {} : { lagSeconds: ageSeconds() }),
        entries: revoked.size() + outdated.size(),
        polls: calls,
        failures,
        ...(lastFailure === undefined ? {} : { lastFailure }),
      }
    },
  }
}
