/** What makes a token good: its signature, its times, and that nobody took it back. */
import { checkIntent, checkTimes, parseClaims, type AccessClaims } from './claims.ts'
import type { Moment } from './clock.ts'
import type { Feed } from './feed.ts'
import type { Issuer } from './issuer.ts'
import type { JsonObject } from './json.ts'
import type { Keys } from './keys.ts'
import type { Settings } from './options.ts'
import type { CheckedToken, Remembered } from './remembered.ts'
import { refused, type Accepted, type Refused, type Verification } from './result.ts'
import type { WaitUntil } from './shared-call.ts'
import { checkSignature } from './signature.ts'

export interface Rule {
  judge(token: string, waitUntil?: WaitUntil): Promise<Verification>
  state(): IntrospectionState
}

export interface IntrospectionState {
  readonly calls: number
  readonly failures: number
  readonly lastFailure?: string
}

export interface RuleParts {
  readonly settings: Settings
  readonly issuer: Issuer
  readonly keys: Keys
  readonly remembered: Remembered
  /** With `revocation: 'feed'`. */
  readonly feed: Feed | undefined
}

/** Latchkey's own are below 2,000 characters: what is longer is not worth decoding. */
const TOKEN_LENGTH_LIMIT = 16_384
/** Opaque access tokens: nothing in them can be checked here. */
const OPAQUE_PREFIX = 'at1.'

/** An introspection answer, or why there is none; and how long ago it was asked for. */
type Asked = { readonly ok: true; readonly answer: JsonObject | undefined; readonly ageSeconds: number } | Refused

export function createRule({ settings, issuer, keys, remembered, feed }: RuleParts): Rule {
  const { clock, revocation, maxStalenessSeconds, toleranceSeconds } = settings
  const counts = { calls: 0, failures: 0, lastFailure: undefined as string | undefined }
  let failedAt: Moment | undefined

  async function judge(token: string, waitUntil: WaitUntil | undefined): Promise<Verification> {
    // A caller without types may hand over whatever a header lookup gave.
    if (typeof token !== 'string' || token.length > TOKEN_LENGTH_LIMIT)
      return refused('invalid_token', 'not a token: no string, or too long')
    if (token.startsWith(OPAQUE_PREFIX)) return judgeOpaque(token)
    keys.tend(waitUntil)
    const known = recall(token)
    const checked = known ?? (await checkSignature(token, keys, { ...settings, waitUntil }))
    if (!checked.ok) return checked
    const untimely = checkTimes(checked.claims, {
      nowSeconds: clock.now().wallMs / 1000,
      issuerSeconds: feed?.issuerSeconds(),
      toleranceSeconds,
    })
    if (untimely) {
      remembered.forget(token)
      return untimely
    }
    if (!known) remembered.set(token, checked)
    if (feed) return judgeByFeed(feed, { token, checked, waitUntil })
    return revocation === 'introspect' ? judgeByIssuer(token, checked.claims) : accepted(checked.claims, 'signature')
  }

  function recall(token: string): CheckedToken | undefined {
    const found = remembered.get(token)
    if (!found || keys.isCurrent(found.key)) return found
    remembered.forget(token)
    return undefined
  }

  async function judgeByFeed(
    followed: Feed,
    presented: { readonly token: string; readonly checked: CheckedToken; readonly waitUntil: WaitUntil | undefined },
  ): Promise<Verification> {
    const { token, checked, waitUntil } = presented
    followed.tend(waitUntil)
    if (followed.ageSeconds() > maxStalenessSeconds) await followed.settled()
    const revoked = findRevoked(followed, checked)
    if (revoked) return revoked
    const stalenessSeconds = followed.ageSeconds()
    if (stalenessSeconds <= maxStalenessSeconds) return accepted(checked.claims, 'feed', stalenessSeconds)
    // While the issuer is down, a request in every poll's time finds out; the others need not wait for it.
    if (clock.sinceMs(failedAt) < settings.pollMs)
      return refused('revocation_unknown', 'the feed is stale, and the issuer could not be asked a moment ago')
    const result = await judgeByIssuer(token, checked.claims)
    return findRevoked(followed, checked) ?? result
  }

  async function judgeByIssuer(token: string, claims: AccessClaims): Promise<Verification> {
    const asked = await ask(token)
    if (!asked.ok) return asked
    return asked.answer
      ? accepted(claims, 'introspection', asked.ageSeconds)
      : refused('revoked', 'the issuer says that it is no longer active')
  }

  /** Times are the issuer's to check: it has just said that the token is active. */
  async function judgeOpaque(token: string): Promise<Verification> {
    if (revocation === 'none') return refused('invalid_token', 'opaque tokens cannot be verified without the issuer')
    const asked = await ask(token)
    if (!asked.ok) return asked
    if (!asked.answer) return refused('invalid_token', 'the issuer says that it is not active')
    const claims = parseClaims(asked.answer)
    if (!claims) return refused('revocation_unknown', 'the introspection answer lacks claims')
    return checkIntent(claims, settings) ?? accepted(claims, 'introspection', asked.ageSeconds)
  }

  async function ask(token: string): Promise<Asked> {
    const askedAt = clock.now()
    counts.calls += 1
    try {
      const answer = await issuer.introspect(token)
      failedAt = undefined
      return { ok: true, answer, ageSeconds: clock.sinceMs(askedAt) / 1000 }
    } catch (error) {
      failedAt = clock.now()
      counts.failures += 1
      counts.lastFailure = error instanceof Error ? error.message : String(error)
      return refused('revocation_unknown', 'the issuer cannot be asked')
    }
  }

  return {
    judge,
    state() {
      const { calls, failures, lastFailure } = counts
      return { calls, failures, ...(lastFailure === undefined ? {} : { lastFailure }) }
    },
  }
}

function accepted(claims: AccessClaims, checked: Accepted['checked'], stalenessSeconds?: number): Accepted {
  return { ok: true, claims, checked, ...(stalenessSeconds === undefined ? {} : { stalenessSeconds }) }
}

function findRevoked(feed: Feed, { claims, key }: CheckedToken): Refused | undefined {
  if (feed.has('sid', claims.sid)) return refused('revoked', 'its session has ended')
  if (feed.isOutdated(claims.sid, claims.iat)) return refused('revoked', 'the roles of its session have changed since')
  if (feed.has('jti', claims.jti)) return refused('revoked', 'it was revoked')
  if (feed.has('kid', key.kid)) return refused('revoked', 'the key that signed it was withdrawn')
  return undefined
}
