/** Sends requests through the balancer and writes each one down, whatever becomes of it. */
import { setTimeout as delay } from 'node:timers/promises'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'
import type { HistoryLine, Operation } from './history.ts'

/** More than the longest bound that an answer has, so that one which comes late is seen to be late. */
const PATIENCE_MS = 15_000

/** What a device holds of a session. */
export interface Session {
  readonly sid: string
  readonly jti: string
  readonly generation: number
  readonly accessToken: string
  readonly refreshToken: string
}

/** An operation as its client means it. */
export type Intent = Pick<
  Operation,
  'client' | 'user' | 'as' | 'kind' | 'sid' | 'jti' | 'generation' | 'attempt' | 'retryOf'
>

export interface Outcome {
  readonly operation: Operation
  /** If the answer carried tokens. */
  readonly session?: Session | undefined
}

export interface Recorder {
  readonly nowMs: () => number
  readonly write: (line: HistoryLine) => void
  send(intent: Intent, path: string, init: RequestInit): Promise<Outcome>
}

const body = z.object({
  access_token: z.string().optional(),
  refresh_token: z.string().optional(),
  session_id: z.string().optional(),
  active: z.boolean().optional(),
  code: z.string().optional(),
  error: z.string().optional(),
})
type Body = z.infer<typeof body>

export function createRecorder(baseUrl: string, write: (line: HistoryLine) => void): Recorder {
  const beganMs = performance.now()
  const nowMs = () => Math.round((performance.now() - beganMs) * 100) / 100
  let made = 0

  async function ask(path: string, init: RequestInit): Promise<{ answer: Response; said: Body } | undefined> {
    try {
      const answer = await fetch(`${baseUrl}${path}`, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) })
      const text = await answer.text()
      return { answer, said: readBody(text) }
    } catch {
      return undefined
    }
  }

  return {
    nowMs,
    write,
    async send(intent, path, init) {
      made++
      const id = made
      const startMs = nowMs()
      const got = await ask(path, init)
      const session = got && readSession(got.said)
      const operation: Operation = {
        line: 'operation',
        id,
        ...intent,
        startMs,
        endMs: nowMs(),
        ...(got && describeAnswer(got.answer, got.said)),
        ...(session && { gained: gainedBy(session) }),
      }
      write(operation)
      return { operation, session }
    },
  }
}

function describeAnswer({ status, headers }: Response, said: Body): Partial<Operation> {
  const optional = {
    server: headers.get('X-Served-By'),
    check: headers.get('X-Session-Check'),
    retryAfter: headers.get('Retry-After'),
    code: said.code ?? said.error,
    active: said.active,
  }
  const present = Object.entries(optional).filter(([, value]) => value !== null && value !== undefined)
  // A balancer's own answer has no id of the service.
  return { status, byService: headers.has('X-Request-Id'), ...Object.fromEntries(present) }
}

/** A balancer's own answer is a page. */
function readBody(text: string): Body {
  try {
    return body.parse(JSON.parse(text))
  } catch {
    return {}
  }
}

function readSession({ access_token, refresh_token, session_id }: Body): Session | undefined {
  if (access_token === undefined || refresh_token === undefined || session_id === undefined) return undefined
  // rt1.<user id 16 B | sid 16 B | generation u32 | ...>
  const generation = Buffer.from(refresh_token.slice(4), 'base64url').readUInt32BE(32)
  const jti = decodeJwt(access_token).jti ?? ''
  return { sid: session_id, jti, generation, accessToken: access_token, refreshToken: refresh_token }
}

function gainedBy({ sid, jti, generation, accessToken }: Session): NonNullable<Operation['gained']> {
  return { sid, jti, generation, kid: decodeProtectedHeader(accessToken).kid ?? '' }
}

/** How long a client that follows the rules waits before it tries again. */
export async function waitToRetry({ status, retryAfter }: Operation, tries: number): Promise<void> {
  // What was broken off is tried at once, by way of another server; what was refused, when the answer says.
  if (status === undefined || retryAfter === undefined) return delay(tries === 1 ? 20 : Math.min(1000, 100 * tries))
  return delay(Number(retryAfter) * 1000 * (1 + Math.random() / 2))
}
