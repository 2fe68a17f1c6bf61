import { streamSSE } from 'hono/streaming'
import { StoreUnavailable, failed, ok, type Failure, type Result } from '../failure.ts'
import { authenticateClient } from '../http/client-authentication.ts'
import type { RequestContext } from '../http/context.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'
import type { FeedAnswer, RevocationFeed } from '../store/revocation-feed.ts'
import { FEED_LEEWAY_SECONDS } from '../store/store.ts'

/** How often a stream looks for news. */
const STREAM_EVERY_MS = 1000
/** How soon a client should come back. */
const RETRY_MS = 1000
/** How often a stream without news says how fresh it is. */
const HEARTBEAT_MS = 5000
/** A Worker may make a limited number of calls for one request; the client comes back with its Last-Event-ID. */
const STREAM_LIMIT_MS = 10 * 60_000

/**
 * GET /v1/revocations: the revocation feed, for services that verify tokens in memory.
 *
 * `?after=` reads on from an earlier answer's cursor. With `Accept: text/event-stream` the same answers come as events, with
 * the cursor as their id; one without entries is the heartbeat.
 */
export function revocationsEndpoint(parts: Parts) {
  const { config, feed } = parts
  return async (c: RequestContext): Promise<Response> => {
    const client = await authenticateClient(c, config.clients)
    if (!client.ok) return problem(c, client.failure)
    if (client.value.kind !== 'service') return problem(c, { reason: 'client_unauthenticated' })
    const streams = c.req.header('Accept')?.includes('text/event-stream') ?? false
    const after = readCursor((streams ? c.req.header('Last-Event-ID') : undefined) ?? c.req.query('after'))
    if (!after.ok) return problem(c, after.failure)
    const answer = await feed.read(after.value)
    return streams ? stream(c, parts, answer) : c.json(describe(parts, answer), 200, { 'Cache-Control': 'no-store' })
  }
}

/** A cursor is a place in each bucket. */
function readCursor(text: string | undefined): Result<readonly string[] | undefined, Failure> {
  if (text === undefined || text === '') return ok(undefined)
  if (/^\d{1,15}-\d{1,20}(\.\d{1,15}-\d{1,20})*$/.test(text)) return ok(text.split('.'))
  return failed({ reason: 'bad_request', detail: 'after must be the cursor of an earlier answer.' })
}

/** Times are in seconds since the epoch; `now - as_of` is how old the answer was when it was made. */
function describe({ config, clock }: Pick<Parts, 'config' | 'clock'>, answer: FeedAnswer) {
  return {
    // Up to the next second: an entry must not be forgotten before its tokens have expired.
    entries: answer.entries.map(({ kind, id, expMs }) => ({ kind, id, exp: Math.ceil(expMs / 1000) })),
    cursor: answer.places.join('.'),
    reset: answer.reset,
    more: answer.more,
    window_seconds: config.accessTtlSeconds + FEED_LEEWAY_SECONDS,
    as_of: answer.askedAtMs / 1000,
    now: clock.nowMs() / 1000,
  }
}

function stream(c: RequestContext, parts: Parts, first: FeedAnswer): Response {
  const { clock, feed } = parts
  const endsAtMs = clock.nowMs() + STREAM_LIMIT_MS
  // Proxies hold back what they take for a document.
  c.header('X-Accel-Buffering', 'no')
  const response = streamSSE(c, async (events) => {
    let answer = first
    let saidAtMs = -Infinity
    while (!events.aborted && clock.nowMs() < endsAtMs) {
      const isNews = answer.reset || answer.entries.length > 0
      if (isNews || clock.nowMs() - saidAtMs >= HEARTBEAT_MS) {
        const page = describe(parts, answer)
        await events.writeSSE({ event: 'revocations', id: page.cursor, data: JSON.stringify(page), retry: RETRY_MS })
        saidAtMs = clock.nowMs()
      }
      if (!answer.more) await events.sleep(STREAM_EVERY_MS)
      answer = await readOn(feed, answer)
    }
  })
  response.headers.set('Cache-Control', 'no-store')
  return response
}

/** While the store is away there is no news, and heartbeats say how old the last is. */
async function readOn(feed: RevocationFeed, from: FeedAnswer): Promise<FeedAnswer> {
  try {
    return await feed.read(from.places)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return { ...from, entries: [], reset: false, more: false }
  }
}
