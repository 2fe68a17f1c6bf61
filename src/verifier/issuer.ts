/** The issuer's three answers that a verifier asks for, over HTTP. */
import { withDeadline } from './deadline.ts'
import { isFiniteNumber, isObject, parseObject, type JsonObject } from './json.ts'
import type { RevokedKind } from './revoked.ts'

/** The part of the Fetch API that is used, so that `fetch` of every runtime and a Hono app's `request` fit. */
export type VerifierFetch = (url: string, init: FetchInit) => FetchAnswer | Promise<FetchAnswer>

/** The runtime's `AbortSignal`, also for projects that have no types of it. */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer S } }
  ? S
  : { readonly aborted: boolean }

export interface FetchInit {
  readonly method: 'GET' | 'POST'
  readonly headers: Record<string, string>
  readonly body?: string
  readonly redirect: 'manual'
  readonly signal: Signal
}

export interface FetchAnswer {
  readonly status: number
  /** Where there is one it is read in parts, so that an answer without end is given up. */
  readonly body?: FetchBody | null | undefined
  text(): Promise<string>
}

/** The part of a `ReadableStream` that is used. */
export interface FetchBody {
  cancel(): Promise<void>
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
    cancel(): Promise<void>
  }
}

/** The issuer gave no usable answer: not reached, too late, refusing, or not in the agreed form. */
export class IssuerUnavailable extends Error {
  override readonly name = 'IssuerUnavailable'
  /** What was answered instead of 200. */
  readonly status: number | undefined
  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}

interface EntryTimes {
  /** Seconds since the epoch, by the issuer's clock. */
  readonly exp: number
  /** Only tokens issued before this second are dead. Of a session: its roles have changed. */
  readonly before?: number
}

/** `all`: every session of everyone has ended. */
export type RevokedEntry =
  | ({ readonly kind: RevokedKind; readonly id: string } & EntryTimes)
  | ({ readonly kind: 'all'; readonly before: number } & EntryTimes)

/** A page of the revocation feed. */
export interface FeedPage {
  readonly entries: readonly RevokedEntry[]
  readonly cursor: string
  /** The page is full: the next one is to be asked for at once. */
  readonly more: boolean
  /** Seconds since the epoch by the issuer's clock: when the store was read, and when the answer was made. */
  readonly asOfSeconds: number
  readonly nowSeconds: number
  /** The cursor could not be continued: what follows begins at the beginning. */
  readonly reset: boolean
  /** How far back the feed reaches. */
  readonly windowSeconds: number
}

/** All reject with {@link IssuerUnavailable} or what `fetch` throws. */
export interface Issuer {
  /** The members of the JWK Set's `keys` (RFC 7517 section 5) that are objects. */
  readKeys(): Promise<readonly JsonObject[]>
  /** Without a cursor: all that is in the feed's window. */
  readFeed(cursor: string | undefined): Promise<FeedPage>
  /** RFC 7662. Undefined when the token is not active. */
  introspect(token: string): Promise<JsonObject | undefined>
}

export interface IssuerOptions {
  readonly issuer: string
  readonly credentials: { readonly clientId: string; readonly clientSecret: string } | undefined
  readonly timeoutMs: number
  readonly fetch: VerifierFetch
}

/** No answer of Latchkey's comes near its limit. */
interface Request extends Pick<FetchInit, 'method' | 'headers' | 'body'> {
  readonly limitBytes: number
}

export function createIssuer({ issuer, credentials, timeoutMs, fetch }: IssuerOptions): Issuer {
  const base = issuer.replace(/\/$/, '')
  const authorization = credentials && basicCredentials(credentials)

  const ask = (path: string, { limitBytes, ...request }: Request) =>
    withDeadline(timeoutMs, async (signal) => {
      // Credentials must not follow a redirect, and workerd knows no `redirect: 'error'`.
      const answer = await fetch(base + path, { ...request, redirect: 'manual', signal })
      if (answer.status !== 200) {
        // Left unread, it would keep its connection.
        void answer.body?.cancel().catch(() => undefined)
        throw new IssuerUnavailable(`${path} answered ${answer.status}`, answer.status)
      }
      const body = parseObject(await readText(answer, limitBytes))
      if (!body) throw new IssuerUnavailable(`${path} did not answer with a JSON object`)
      return body
    })
  const headers = (): Record<string, string> => ({
    accept: 'application/json',
    ...(authorization === undefined ? {} : { authorization }),
  })

  return {
    async readKeys() {
      const path = '/.well-known/jwks.json'
      const { keys } = await ask(path, {
        method: 'GET',
        headers: { accept: 'application/json' },
        limitBytes: 256_000,
      })
      if (!Array.isArray(keys)) throw new IssuerUnavailable(`${path} did not answer with a JWK Set`)
      return keys.filter(isObject)
    },
    async readFeed(cursor) {
      const path = '/v1/revocations'
      const query = cursor === undefined ? '' : `?${new URLSearchParams({ after: cursor }).toString()}`
      const page = parsePage(await ask(path + query, { method: 'GET', headers: headers(), limitBytes: 4_000_000 }))
      if (!page) throw new IssuerUnavailable(`${path} did not answer with a page of the feed`)
      if (page.more && page.cursor === cursor) throw new IssuerUnavailable(`${path} does not move on`)
      return page
    },
    async introspect(token) {
      const answer = await ask('/oauth/introspect', {
        method: 'POST',
        limitBytes: 64_000,
        headers: { ...headers(), 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token }).toString(),
      }).catch((error: unknown) => {
        // A token that cannot even be read is the token's fault, and says nothing of the issuer.
        if (error instanceof IssuerUnavailable && (error.status === 400 || error.status === 413))
          return { active: false }
        throw error
      })
      if (typeof answer.active !== 'boolean') throw new IssuerUnavailable('/oauth/introspect did not say active')
      return answer.active ? answer : undefined
    },
  }
}

async function readText(answer: FetchAnswer, limitBytes: number): Promise<string> {
  if (!answer.body) return answer.text()
  const reader = answer.body.getReader()
  const decoder = new TextDecoder()
  let [text, left] = ['', limitBytes]
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    left -= value?.length ?? 0
    if (left < 0) {
      void reader.cancel().catch(() => undefined)
      throw new IssuerUnavailable(`the answer is longer than ${limitBytes} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** An entry of an unknown kind makes the page unusable: it would be a revocation that is not heeded. */
function parsePage({ entries, cursor, more, as_of, now, reset, window_seconds }: JsonObject): FeedPage | undefined {
  if (!Array.isArray(entries) || typeof cursor !== 'string' || typeof more !== 'boolean') return undefined
  if (!isFiniteNumber(as_of) || !isFiniteNumber(now) || !isFiniteNumber(window_seconds) || typeof reset !== 'boolean')
    return undefined
  const parsed = entries.map(parseEntry).filter((entry) => entry !== undefined)
  if (parsed.length !== entries.length) return undefined
  return { entries: parsed, cursor, more, asOfSeconds: as_of, nowSeconds: now, reset, windowSeconds: window_seconds }
}

function parseEntry(entry: unknown): RevokedEntry | undefined {
  if (!isObject(entry)) return undefined
  const { kind, id, exp, before } = entry
  if (typeof id !== 'string' || !isFiniteNumber(exp)) return undefined
  if (kind === 'all') return isFiniteNumber(before) ? { kind, exp, before } : undefined
  if (kind !== 'sid' && kind !== 'jti' && kind !== 'kid') return undefined
  if (before === undefined) return { kind, id, exp }
  return isFiniteNumber(before) ? { kind, id, exp, before } : undefined
}

/** RFC 6749 section 2.3.1: both parts are form-encoded before they are joined. */
function basicCredentials({ clientId, clientSecret }: NonNullable<IssuerOptions['credentials']>): string {
  const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
  return `Basic ${btoa(`${encode(clientId)}:${encode(clientSecret)}`)}`
}
