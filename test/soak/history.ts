/**
 * What happened in a soak, as lines of JSON (NDJSON): the run itself, each request of each client with its beginning and its
 * end, each fault, and what the servers logged. Times are milliseconds since the run began, by one monotonic clock.
 */
import { z } from 'zod'

/** What the checker holds the service to, written down with the history so that it can be checked again later. */
const bounds = z.object({
  /** Within which every answer of the service comes; sign-ins and registrations may wait for the hasher as well. */
  answerMs: z.number(),
  hashedAnswerMs: z.number(),
  /** For how long a positive check may be repeated from memory, always and while the store fails. */
  cacheMs: z.number(),
  staleMs: z.number(),
  /** Life of an access token. */
  accessMs: z.number(),
  /**
   * How long before a primary is killed an acknowledged write may be one that replicas never got, and how long after it an answer
   * may arrive that was on its way. What the successor acknowledges is never lost.
   */
  lossMs: z.number(),
})
export type Bounds = z.infer<typeof bounds>

const run = z.object({ line: z.literal('run'), seed: z.number(), minutes: z.number(), users: z.number(), bounds })
export type Run = z.infer<typeof run>

const operation = z.object({
  line: z.literal('operation'),
  id: z.number(),
  /** The device that asked. */
  client: z.string(),
  user: z.string(),
  /** Only an `owner` follows the rules. A `ghost` shows tokens of a session that has ended, a `thief` stolen, a `forger` made-up ones. */
  as: z.enum(['owner', 'ghost', 'thief', 'forger']),
  kind: z.enum(['login', 'refresh', 'verify', 'verify-fresh', 'introspect', 'logout', 'revoke']),
  /** The session, access token or generation that was presented. `revoke` with a `jti` is of that token alone. */
  sid: z.string().optional(),
  jti: z.string().optional(),
  generation: z.number().optional(),
  attempt: z.string().optional(),
  /** The operation that this one repeats because it got no answer, or none that helps. */
  retryOf: z.number().optional(),
  startMs: z.number(),
  endMs: z.number(),
  /** Absent when no answer arrived. */
  status: z.number().optional(),
  /** Whether the service itself answered, and not the balancer for it. */
  byService: z.boolean().optional(),
  server: z.string().optional(),
  code: z.string().optional(),
  /** `X-Session-Check` */
  check: z.string().optional(),
  /** What introspection said. */
  active: z.boolean().optional(),
  retryAfter: z.string().optional(),
  /** The tokens that the answer carried. */
  gained: z.object({ sid: z.string(), jti: z.string(), kid: z.string(), generation: z.number() }).optional(),
})
export type Operation = z.infer<typeof operation>

/** What a plan brings about. */
export const plannedKinds = [
  'server-killed',
  'redis-restarted',
  'primary-killed',
  'bridge-hung',
  'replies-lost',
  'replies-delayed',
  'connections-refused',
  'clock-off',
  'keys-rotated',
  'record-lost',
  'record-restored',
] as const
/** `standstill` is not planned: the machine was too busy to run the bridge, and the store as good as away. */
export const faultKinds = [...plannedKinds, 'standstill'] as const
export type FaultKind = (typeof faultKinds)[number]

const fault = z.object({
  line: z.literal('fault'),
  id: z.number(),
  kind: z.enum(faultKinds),
  /**
   * A process is killed after its fault begins and is up again before it ends. What is done to the way to the store is done
   * from the beginning to the end.
   */
  phase: z.enum(['begin', 'end']),
  atMs: z.number(),
  /** The process that is struck. */
  target: z.string().optional(),
  /** The user whose record is struck. */
  user: z.string().optional(),
  /** By how much a clock was moved. */
  amountMs: z.number().optional(),
  /** Whether another Redis was the primary afterwards. */
  failover: z.boolean().optional(),
})
export type FaultLine = z.infer<typeof fault>

const event = z.object({
  line: z.literal('event'),
  atMs: z.number(),
  event: z.string(),
  user_id: z.string().optional(),
  session_id: z.string().optional(),
  generation: z.number().optional(),
  detail: z.string().optional(),
})
export type EventLine = z.infer<typeof event>

const historyLine = z.discriminatedUnion('line', [run, operation, fault, event])
export type HistoryLine = z.infer<typeof historyLine>
export type History = readonly HistoryLine[]

export function writeLine(line: HistoryLine): string {
  return `${JSON.stringify(line)}\n`
}

/** @throws if a line is none */
export function parseHistory(text: string): History {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => historyLine.parse(JSON.parse(line)))
}
