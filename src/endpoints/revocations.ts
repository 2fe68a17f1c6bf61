import { streamSSE, type SSEStreamingApi } from 'hono/streaming'
import { z } from 'zod'
import { StoreUnavailable, failed, ok, type Failure, type Result } from '../failure.ts'
import { authenticateService } from '../http/client-authentication.ts'
import type { RequestContext } from '../http/context.ts'
import { finish } from '../http/finish.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import { createRequestLimit } from '../http/request-limit.ts'
import type { Parts } from '../parts.ts'
import type { FeedAnswer } from '../store/revocation-feed.ts'
import { FEED_START, feedWindowMs } from '../store/store.ts'

/** How often a stream looks for news. */
const STREAM_EVERY_MS = 1000
/** How soon a client should come back. */
const RETRY_MS = 1000
/** How often a stream without news says how fresh it is. */
const HEARTBEAT_MS = 5000
/** A Worker may make a limited number of calls for one request; the client comes back with its Last-Event-ID. */
const STREAM_LIMIT_MS = 10 * 60_000

/** A place in each bucket, with dots between. Redis counts to 2^64 - 1, which has twenty digits. */
const cursor = z.string().regex(/^\d{1,15}-\d{1,19}(-[\w-]{0,6})?(\.\d{1,15}-\d{1,19}(-[\w-]{0,6})?)*$/)

const feedBody = z.object({
  entries: z.array(
    z.object({
      kind: z
        .enum(['sid', 'jti', 'kid', 'all'])
        .describe('What has ended: a session, a token, a signing key, or every session of everyone.'),
      id: z.string(),
      exp: z.number().describe('Until when to remember it. Seconds since the epoch, like all times here.'),
      before: z.number().optional().describe('Only tokens that were issued before.'),
    }),
  ),
  cursor: z.string().describe('Where to read on.'),
  reset: z.boolean().describe('The feed begins anew with this answer. What was read before still holds.'),
  more: z.boolean().describe('There is more: read on at once.'),
  window_seconds: z.number().describe('How long an entry stays.'),
  as_of: z.number().describe('When the store was asked.'),
  now: z.number(),
})

export const revocationsOperation: Operation = {
  id: 'readRevocations',
  tag: 'Tokens',
  summary: 'Follow the revocation feed',
  description: 'For services that verify tokens in memory. Asked for `text/event-stream`, it sends the same as events.',
  security: ['client'],
  parameters: [
    { in: 'query', name: 'after', description: 'The cursor of an earlier answer.', schema: cursor },
    { in: 'header', name: 'Last-Event-ID', description: 'The same, for a stream.', schema: cursor },
  ],
  success: {
    status: 200,
    description: 'What has ended since.',
    content: { 'application/json': feedBody, 'text/event-stream': z.string() },
  },
  failures: ['bad_request', 'client_unauthenticated', 'client_not_allowed', 'too_many_attempts', 'unavailable'],
}

/**
 * GET /v1/revocations: the revocation feed, for services that verify tokens in memory.
 *
 * `?after=` reads on from an earlier answer's cursor. With `Accept: text/event-stream` the same answers come as events, with
 * the cursor as their id; one without entries is the heartbeat.
 */
export function revocationsEndpoint(parts: Parts) {
  const { config, feed } = parts
  const limit = createRequestLimit(config.introspectionsPerSecond, parts.clock)
  return async (c: RequestContext): Promise<Response> => {
    const client = await authenticateService(c, config.clients)
    if (!client.ok) return problem(c, client.failure)
    const admitted = limit.admit(client.value.id)
    if (!admitted.ok) return problem(c, admitted.failure)
    const streams = c.req.header('Accept')?.includes('text/event-stream') ?? false
    const after = readCursor((streams ? c.req.header('Last-Event-ID') : undefined) ?? c.req.query('after'))
    if (!after.ok) return problem(c, after.failure)
    if (streams) return stream(c, parts, after.value)
    const answer = await feed.read(after.value)
    return c.json(describe(parts, answer), 200, { 'Cache-Control': 'no-store' })
  }
}

function readCursor(text: string | undefined): Result<readonly string[] | undefined, Failure> {
  if (text === undefined || text === '') return ok(undefined)
  if (cursor.safeParse(text).success) return ok(text.split('.'))
  return failed({ reason: 'bad_request', detail: 'after must be the cursor of an earlier answer.' })
}

/** Times are in seconds since the epoch; `now - as_of` is how old the answer was when it was made. */
function describe({ config, clock }: Pick<Parts, 'config' | 'clock'>, answer: FeedAnswer): z.infer<typeof feedBody> {
  return {
    // Up to the next second: an entry must not be forgotten before its tokens have expired.
    entries: answer.entries.map(({ kind, id, expMs, beforeMs }) => ({
      kind,
      id,
      exp: Math.ceil(expMs / 1000),
      ...(beforeMs !== undefined && { before: Math.ceil(beforeMs / 1000) }),
    })),
    cursor: answer.places.join('.'),
    reset: answer.reset,
    more: answer.more,
    window_seconds: feedWindowMs(config) / 1000,
    as_of: answer.askedAtMs / 1000,
    now: clock.nowMs() / 1000,
  }
}

/**
 * Begins whether the store is there or not: a stock client that is answered with an error does not come back. While the store is
 * away there is no news, and heartbeats say how old the last is.
 */
function stream(c: RequestContext, parts: Parts, after: readonly string[] | undefined): Response {
  const { config, clock } = parts
  const endsAtMs = clock.nowMs() + STREAM_LIMIT_MS
  const nothing = { entries: [], reset: false, more: false, askedAtMs: 0 }
  // Proxies hold back what they take for a document.
  c.header('X-Accel-Buffering', 'no')
  const follow = async (events: SSEStreamingApi) => {
    const start = Array.from({ length: config.store.buckets }, () => FEED_START)
    let answer = await readOn(c, parts, after, { ...nothing, places: after ?? start })
    let saidAtMs = -Infinity
    while (!events.aborted && clock.nowMs() < endsAtMs) {
      const isNews = answer.reset || answer.entries.length > 0
      if (isNews || clock.nowMs() - saidAtMs >= HEARTBEAT_MS) {
        const page = describe(parts, answer)
        await events.writeSSE({ event: 'revocations', id: page.cursor, data: JSON.stringify(page), retry: RETRY_MS })
        saidAtMs = clock.nowMs()
      }
      if (!answer.more) await events.sleep(STREAM_EVERY_MS)
      answer = await readOn(c, parts, answer.places, answer)
    }
  }
  const response = streamSSE(c, follow, async (error) => {
    c.get('log').event('request.failed', { path: c.req.path, detail: error.name })
  })
  response.headers.set('Cache-Control', 'no-store')
  return response
}

/**
 * What is behind `places`, or nothing new while the store is away. The reading goes on to its end when the client hangs up:
 * others wait for it, and it may be the circuit breaker's trial.
 */
async function readOn(
  c: RequestContext,
  { feed }: Parts,
  places: readonly string[] | undefined,
  last: FeedAnswer,
): Promise<FeedAnswer> {
  try {
    return await finish(c, feed.read(places))
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    return { ...last, entries: [], reset: false, more: false }
  }
}
