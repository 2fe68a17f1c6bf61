/**
 * The revocation feed, followed from memory.
 *
 * Ages are measured on this machine alone: how old the issuer's answer was when it was made (by the issuer's clock, start
 * and end), plus the time since it was asked for (by ours). The two clocks are never compared.
 */
import type { Clock, Moment } from './clock.ts'
import { IssuerUnavailable, type FeedPage, type Issuer } from './issuer.ts'
import type { Keys } from './keys.ts'
import { createOutdated, EVERYONE } from './outdated.ts'
import { createRevoked, type RevokedKind } from './revoked.ts'
import { createSharedCall, type WaitUntil } from './shared-call.ts'

export interface Feed {
  /** Polls, if the last poll was begun long enough ago. Does not wait. */
  tend(waitUntil?: WaitUntil): void
  /** Waits for the poll under way until its deadline, unless the one before it failed. */
  settled(): Promise<void>
  has(kind: RevokedKind, id: string): boolean
  /** Whether the roles of the session have changed since; for {@link EVERYONE}, whether all sessions have ended since. */
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
/** No feed is that long: at the issuer's 1,000 entries a page, a million sign-outs in one window. */
const PAGES_LIMIT = 1000

/** What the issuer's clock said, and when by ours. */
interface IssuerTime {
  readonly answeredAt: Moment
  readonly issuerSeconds: number
}

interface Freshness extends IssuerTime {
  readonly askedAt: Moment
  /** How old the answer was when it was made. */
  readonly answerAgeSeconds: number
}

export function createFeed(options: {
  readonly issuer: Pick<Issuer, 'readFeed'>
  readonly keys: Pick<Keys, 'withdraw' | 'doubt'>
  readonly clock: Clock
  readonly pollMs: number
  readonly timeoutMs: number
  /** Tokens are taken for so long after they expired, so revocations are kept for so long too. */
  readonly toleranceSeconds: number
}): Feed {
  const { issuer, keys, clock, pollMs, timeoutMs, toleranceSeconds } = options
  const revoked = createRevoked()
  const outdated = createOutdated()
  let cursor: string | undefined
  let fresh: Freshness | undefined
  /** A time that the issuer cannot have by the last page: believed when the next poll says it again. */
  let suspect: IssuerTime | undefined
  let hasRead = false
  let isClosed = false
  let hasFailed = false

  const ageOf = ({ askedAt, answerAgeSeconds }: Freshness) => answerAgeSeconds + clock.sinceMs(askedAt) / 1000
  const ageSeconds = () => (fresh ? ageOf(fresh) : Number.POSITIVE_INFINITY)
  const timeBy = ({ issuerSeconds: then, answeredAt }: IssuerTime) =>
    then + (clock.now().monotonicMs - answeredAt.monotonicMs) / 1000
  const issuerSeconds = () => fresh && timeBy(fresh)
  const leaps = (nowSeconds: number, from: IssuerTime) =>
    nowSeconds < timeBy(from) - ISSUER_SKEW_SECONDS ||
    nowSeconds > from.issuerSeconds + clock.sinceMs(from.answeredAt) / 1000 + ISSUER_SKEW_SECONDS

  const polling = createSharedCall({
    clock,
    limitMs: timeoutMs,
    async run(step) {
      try {
        let pages = 1
        while (await readPage(step))
          if ((pages += 1) > PAGES_LIMIT) throw new IssuerUnavailable('the feed does not end')
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
    for (const entry of page.entries)
      if (entry.kind === 'all') outdated.add(EVERYONE, entry.before, entry.exp)
      else if (entry.kind === 'kid') keys.withdraw(entry.id)
      else if (entry.kind === 'sid' && entry.before !== undefined) outdated.add(entry.id, entry.before, entry.exp)
      else revoked.add(entry.kind, entry.id, entry.exp)
    noticeGap(page)
    const time: IssuerTime = { answeredAt: clock.now(), issuerSeconds: page.nowSeconds }
    if (fresh && leaps(page.nowSeconds, fresh)) {
      const isRepeated = suspect && !leaps(page.nowSeconds, suspect)
      suspect = isRepeated ? undefined : time
      if (!isRepeated) throw new IssuerUnavailable('the issuer’s time leaps')
      // By the time that was wrong, too much may have been forgotten: all is read again.
      cursor = fresh = undefined
      return !isClosed
    }
    suspect = undefined
    // Entries are only ever added, so a page that comes late, or again, or after a reset, takes nothing away.
    cursor = page.cursor
    if (page.more) return !isClosed
    const previous = fresh
    const answer = { ...time, askedAt, answerAgeSeconds: Math.max(0, page.nowSeconds - page.asOfSeconds) }
    if (ageOf(answer) < ageSeconds()) fresh = answer
    if (previous) forget(Math.min(page.nowSeconds, timeBy(previous)) - ISSUER_SKEW_SECONDS - toleranceSeconds)
    hasRead = true
    return false
  }

  function forget(beforeSeconds: number): void {
    revoked.prune(beforeSeconds)
    outdated.prune(beforeSeconds)
  }

  /** What was withdrawn while nobody read, and is forgotten, only a newer key set tells. */
  function noticeGap({ reset, windowSeconds, nowSeconds }: FeedPage): void {
    const safeSeconds = Math.max(windowSeconds / 2, windowSeconds - ISSUER_SKEW_SECONDS)
    const gapSeconds = fresh ? Math.max(ageSeconds(), nowSeconds - fresh.issuerSeconds) : Number.POSITIVE_INFINITY
    if (reset && hasRead) keys.doubt(0)
    else if (gapSeconds > safeSeconds) keys.doubt(safeSeconds * 1000)
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
      if (hasFailed) return
      await polling.settled()
      // It may have died with its request: the next one is not waited for before it is through.
      if (polling.outcome() === 'abandoned') hasFailed = true
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
