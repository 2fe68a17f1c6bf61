/** An issuer that speaks the contract of the feed, of introspection and of the key set, and fails as told. */
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import type { FetchAnswer, FetchInit, RevocationMode, VerifierOptions } from '../../../src/verifier/verifier.ts'

export const issuer = 'https://auth.example.com'
export const audience = 'https://api.example.com'
/** Characters that form-encoding changes. */
export const credentials = { clientId: 'api', clientSecret: 's3cret: with %+ & ü' }
const EXPECTED_AUTHORIZATION = `Basic ${btoa('api:s3cret%3A+with+%25%2B+%26+%C3%BC')}`

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

export interface SigningKey {
  readonly kid: string
  readonly alg: Algorithm
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

export async function makeKey(kid: string, alg: Algorithm = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

/** Both clocks of a verifier, and the issuer's: they start apart, and move when told. */
export interface TestTime {
  wallMs: number
  monotonicMs: number
  issuerMs: number
  advance(ms: number): void
}

/** 2027-01-15; the verifier's own clock is 1.5 s behind. */
const START_MS = 1_800_000_000_000

export function createTime(): TestTime {
  return {
    wallMs: START_MS - 1500,
    monotonicMs: 5000,
    issuerMs: START_MS,
    advance(ms) {
      this.wallMs += ms
      this.monotonicMs += ms
      this.issuerMs += ms
    },
  }
}

interface Entry {
  readonly kind: 'sid' | 'jti' | 'kid' | 'all'
  readonly id: string
  readonly exp: number
  readonly before?: number
  readonly atMs: number
}

export interface TestIssuer {
  readonly time: TestTime
  keys: SigningKey[]
  readonly calls: { jwks: number; feed: number; introspect: number }
  /** `feed`: that alone is refused. `lost`: the answer is lost on its way back. `hung`: none ever comes. */
  fault: 'none' | 'feed' | 'refusing' | 'lost' | 'hung' | 503 | 401
  /** How old what the feed tells is, and how long it is held back. */
  feedAgeMs: number
  feedDelayMs: number
  pageSize: number
  /** Cursors from before are no longer known. */
  resetCursors(): void
  revoke(kind: Entry['kind'], id: string, expSeconds?: number): void
  /** The session goes on, with other roles: its tokens issued before this second are dead. */
  changeRoles(sid: string): void
  /** Every session of everyone: the tokens issued before this second are dead. */
  endEveryone(): void
  sign(claims?: Record<string, unknown>, header?: Record<string, unknown>, key?: SigningKey): Promise<string>
  opaque(token: string, claims?: Record<string, unknown>): void
  fetch(url: string, init: FetchInit): Promise<FetchAnswer>
  options(revocation: RevocationMode): VerifierOptions
}

export async function createTestIssuer(keys?: SigningKey[]): Promise<TestIssuer> {
  const time = createTime()
  const log: Entry[] = []
  const introspectable = new Map<string, Record<string, unknown>>()
  let epoch = 0
  let serial = 0

  const nowSeconds = () => Math.floor(time.issuerMs / 1000)
  const claimsOf = (claims: Record<string, unknown>) => {
    const id = (serial += 1)
    return {
      iss: issuer,
      sub: 'user-1',
      aud: audience,
      client_id: 'web',
      iat: nowSeconds(),
      exp: nowSeconds() + 300,
      jti: `jti-${id}`,
      sid: `sid-${id}`,
      auth_time: nowSeconds(),
      roles: ['user'],
      ...claims,
    }
  }
  const answerFeed = (after: string | null) => {
    const asOfMs = time.issuerMs - self.feedAgeMs
    const [of, at] = (after ?? '').split('.').map(Number)
    const isKnown = after !== null && of === epoch && at !== undefined
    const start = isKnown ? at : 0
    const visible = log.filter(({ atMs }) => atMs <= asOfMs).length
    const end = Math.min(visible, start + self.pageSize)
    return {
      entries: log
        .slice(start, end)
        .filter(({ exp }) => exp > nowSeconds())
        .map(({ kind, id, exp, before }) => ({ kind, id, exp, before })),
      cursor: `${epoch}.${Math.max(start, end)}`,
      reset: !isKnown,
      more: end < visible,
      window_seconds: 900,
      as_of: asOfMs / 1000,
      now: time.issuerMs / 1000,
    }
  }
  const isRevoked = ({ sid, jti, kid, signedMs }: Record<string, unknown>) =>
    log.some(
      ({ kind, id, before, atMs }) =>
        (kind === 'sid' && before === undefined && id === sid) ||
        (kind === 'jti' && id === jti) ||
        (kind === 'all' && Number(signedMs) < atMs) ||
        (kind === 'kid' && id === kid),
    )

  const answer = async (url: URL, init: FetchInit): Promise<FetchAnswer> => {
    const json = (status: number, body: unknown) => ({ status, text: async () => JSON.stringify(body) })
    if (url.pathname === '/.well-known/jwks.json') {
      self.calls.jwks += 1
      await fail(init)
      if (typeof self.fault === 'number') return json(503, {})
      return json(200, { keys: self.keys.map(({ jwk }) => jwk) })
    }
    const isFeed = url.pathname === '/v1/revocations'
    self.calls[isFeed ? 'feed' : 'introspect'] += 1
    if (init.headers.authorization !== EXPECTED_AUTHORIZATION) return json(401, { error: 'invalid_client' })
    await fail(init)
    if (typeof self.fault === 'number') return json(self.fault, {})
    if (isFeed) {
      if (self.fault === 'feed') throw new TypeError('fetch failed')
      if (self.feedDelayMs > 0) {
        // What can be answered meanwhile is, before the time has passed.
        await new Promise((resolve) => setImmediate(resolve))
        time.advance(self.feedDelayMs)
      }
      return json(200, answerFeed(url.searchParams.get('after')))
    }
    if (init.method !== 'POST') return json(405, {})
    const claims = introspectable.get(new URLSearchParams(init.body).get('token') ?? '')
    const isActive = claims && !isRevoked(claims) && Number(claims.exp) > nowSeconds()
    return json(200, isActive ? { ...claims, active: true, token_type: 'Bearer' } : { active: false })
  }
  /** Faults on the way to the issuer, and on the way back. */
  const fail = async (init: FetchInit) => {
    if (self.fault === 'lost') time.advance(1000)
    if (self.fault === 'refusing' || self.fault === 'lost') throw new TypeError('fetch failed')
    if (self.fault === 'hung')
      await new Promise((_resolve, reject) => init.signal.addEventListener('abort', () => reject(init.signal.reason)))
  }

  const self: TestIssuer = {
    time,
    keys: keys ?? [await makeKey('key-1')],
    calls: { jwks: 0, feed: 0, introspect: 0 },
    fault: 'none',
    feedAgeMs: 0,
    feedDelayMs: 0,
    pageSize: 1000,
    resetCursors: () => void (epoch += 1),
    revoke: (kind, id, expSeconds = nowSeconds() + 300) =>
      void log.push({ kind, id, exp: expSeconds, atMs: time.issuerMs }),
    changeRoles(sid) {
      const [exp, before] = [nowSeconds() + 300, Math.ceil(time.issuerMs / 1000)]
      log.push({ kind: 'sid', id: sid, exp, before, atMs: time.issuerMs })
    },
    endEveryone() {
      const [exp, before] = [nowSeconds() + 360, Math.ceil(time.issuerMs / 1000)]
      log.push({ kind: 'all', id: `epoch-${log.length}`, exp, before, atMs: time.issuerMs })
    },
    async sign(claims = {}, header = {}, key) {
      const by = key ?? self.keys[0] ?? (await makeKey('none'))
      const payload = claimsOf(claims)
      const token = await new SignJWT(payload)
        .setProtectedHeader({ alg: by.alg, kid: by.kid, typ: 'at+jwt', ...header })
        .sign(by.privateKey)
      introspectable.set(token, { ...payload, kid: by.kid, signedMs: time.issuerMs })
      return token
    },
    opaque: (token, claims = {}) => void introspectable.set(token, claimsOf(claims)),
    fetch: (url, init) => answer(new URL(url), init),
    options: (revocation) => ({
      issuer,
      audience,
      revocation,
      ...(revocation === 'none' ? {} : credentials),
      background: false,
      fetch: (url, init) => self.fetch(url, init),
      clock: { nowMs: () => time.wallMs, monotonicMs: () => time.monotonicMs },
    }),
  }
  return self
}
