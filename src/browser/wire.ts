/** The calls to the service, and what their answers mean. Nothing here throws. */
import type { Outcome, SessionStatus } from './api.ts'
import type { Surroundings } from './surroundings.ts'

/** A fresh access token. */
export interface Grant {
  readonly token: string
  readonly sessionId: string
  readonly lifetimeMs: number
}

export type Failed = Extract<Outcome, { ok: false }>
export type Failing = Pick<Failed, 'code' | 'message'>

/** What a refresh came to: the session goes on, is over for good, or nothing is known and it is kept. */
export type RefreshAnswer =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'ended'; readonly status: Ending }
  | { readonly kind: 'failed'; readonly failure: Failed }

/** A status in which there is no session. */
export type Ending = Extract<SessionStatus, { kind: 'signed-out' | 'superseded' | 'expired' }>

/** When nobody is signed in, and nothing need be said about it. */
export const SIGNED_OUT: Ending = { kind: 'signed-out', code: 'signed_out', message: 'Nobody is signed in.' }

export interface Reply {
  /** 0 if no answer arrived. */
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly retryAfterMs?: number | undefined
}

/**
 * The service answers within a second even when its store is down; only a sign-in may have to wait its turn. A refresh is given
 * up before others stop waiting for it: the cookie of a late answer would take the place of a newer one.
 */
const TIMEOUT_MS = 15_000
const REFRESH_TIMEOUT_MS = 4500
/** A longer `Retry-After` is a mistake, or a date read by a clock that is wrong. */
const RETRY_AFTER_LIMIT_MS = 300_000

export const REFRESH = '/v1/refresh'

/** The only codes that sign a user out. */
const ENDINGS = new Map<string, Ending['kind']>([
  ['session_superseded', 'superseded'],
  ['session_expired', 'expired'],
  ['session_unknown', 'signed-out'],
  ['refresh_reused', 'signed-out'],
  ['refresh_invalid', 'signed-out'],
])

export function createWire(around: Surroundings, issuer: string) {
  return async (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> => {
    const giveUp = new AbortController()
    const callOff = around.after(path === REFRESH ? REFRESH_TIMEOUT_MS : TIMEOUT_MS, () => giveUp.abort())
    try {
      const answer = await around.fetch(new URL(path, issuer).href, {
        method: 'POST',
        // The refresh token is a cookie of the issuer's.
        credentials: 'include',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: giveUp.signal,
      })
      const text = await answer.text()
      const retryAfterMs = readRetryAfter(answer.headers.get('Retry-After'), around.wallMs())
      return { status: answer.status, body: parseObject(text), retryAfterMs }
    } catch {
      return { status: 0, body: {} }
    } finally {
      callOff()
    }
  }
}

/** RFC 6749 section 5.1. Nothing for any other answer, such as the web page of a hotel's network. */
export function readGrant({ status, body }: Reply): Grant | undefined {
  const { access_token: token, expires_in, session_id: sessionId } = body
  return status === 200 && typeof token === 'string' && typeof sessionId === 'string' && typeof expires_in === 'number'
    ? { token, sessionId, lifetimeMs: expires_in * 1000 }
    : undefined
}

export function readRefreshAnswer(reply: Reply): RefreshAnswer {
  const grant = readGrant(reply)
  if (grant) return { kind: 'granted', grant }
  const failure = readFailure(reply)
  const { code, message } = failure
  const kind = reply.status === 401 && ENDINGS.get(code)
  return kind ? { kind: 'ended', status: { kind, code, message } } : { kind: 'failed', failure }
}

/** A refusal in the service's own words: RFC 9457. */
export function readFailure({ body: { code, title, detail }, retryAfterMs }: Reply): Failed {
  if (typeof code !== 'string' || typeof title !== 'string')
    return { ok: false, code: 'unreachable', message: 'The service cannot be reached.', retryAfterMs }
  return { ok: false, code, message: typeof detail === 'string' ? `${title} ${detail}` : title, retryAfterMs }
}

/** Seconds or a date: RFC 9110 section 10.2.3. */
function readRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (!header) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return ms > 0 ? Math.min(ms, RETRY_AFTER_LIMIT_MS) : undefined
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text))
  } catch {
    return {}
  }
}
