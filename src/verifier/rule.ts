/** What makes a token good: its signature, its times, and that nobody took it back. */
import { checkIntent, checkTimes, parseClaims, type AccessClaims } from './claims.ts'
import type { Feed } from './feed.ts'
import { createIntrospection, type Asker, type IntrospectionState } from './introspection.ts'
import type { Issuer } from './issuer.ts'
import type { Keys } from './keys.ts'
import type { Settings } from './options.ts'
import { EVERYONE } from './outdated.ts'
import type { CheckedToken, Remembered } from './remembered.ts'
import { refused, type Accepted, type Refused, type Verification } from './result.ts'
import type { WaitUntil } from './shared-call.ts'
import { checkSignature } from './signature.ts'

export interface Rule {
  judge(token: string, waitUntil?: WaitUntil): Promise<Verification>
  state(): IntrospectionState
}

interface Presented {
  readonly token: string
  readonly checked: CheckedToken
  readonly waitUntil: WaitUntil | undefined
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
/** Opaque access tokens: nothing in them can be checked here but their form. */
const OPAQUE_TOKEN = /^at1\.[\w-]{94}$/
/** Without a timer that reads the feed, a token waits for the poll that it has begun once the feed is so far behind. */
const PROMISED_SECONDS = 2
/** By how much the clocks of the issuer's servers may be apart: a token may be older than it says. */
const ISSUER_CLOCKS_SECONDS = 5

export function createRule({ settings, issuer, keys, remembered, feed }: RuleParts): Rule {
  const { clock, revocation, maxStalenessSeconds, toleranceSeconds } = settings
  const introspection = createIntrospection({ ...settings, issuer })
  const patienceSeconds = settings.background ? maxStalenessSeconds : Math.min(maxStalenessSeconds, PROMISED_SECONDS)

  async function judge(token: string, waitUntil: WaitUntil | undefined): Promise<Verification> {
    // Before anything is checked: what the feed tells of the issuer's time is part of the check.
    feed?.tend(waitUntil)
    // A caller without types may hand over whatever a header lookup gave.
    if (typeof token !== 'string' || token.length > TOKEN_LENGTH_LIMIT)
      return refused('invalid_token', 'not a token: no string, or too long')
    if (OPAQUE_TOKEN.test(token)) return judgeOpaque(token)
    keys.tend(waitUntil)
    const known = recall(token)
    const checked = known ?? (await checkSignature(token, keys, { ...settings, waitUntil }))
    if (!checked.ok) return checked
    const untimely = findUntimely(checked.claims)
    if (untimely) {
      remembered.forget(token)
      return untimely
    }
    if (!known) remembered.set(token, checked)
    if (feed) return judgeByFeed(feed, { token, checked, waitUntil })
    return revocation === 'introspect'
      ? judgeByIssuer({ token, checked, waitUntil }, 'always')
      : accepted(checked.claims, 'signature')
  }

  function recall(token: string): CheckedToken | undefined {
    const found = remembered.get(token)
    if (!found || keys.isCurrent(found.key)) return found
    remembered.forget(token)
    return undefined
  }

  async function judgeByFeed(followed: Feed, presented: Presented): Promise<Verification> {
    if (followed.ageSeconds() > patienceSeconds) await followed.settled()
    const refusal = await findRefusal(presented)
    if (refusal) return refusal
    const { claims } = presented.checked
    // Issued just after every session of everyone had ended, or before by a clock ahead: only the issuer can tell.
    if (followed.isOutdated(EVERYONE, claims.iat - ISSUER_CLOCKS_SECONDS)) return judgeByIssuer(presented, 'opaque')
    const stalenessSeconds = followed.ageSeconds()
    return stalenessSeconds <= maxStalenessSeconds
      ? accepted(claims, 'feed', stalenessSeconds)
      : judgeByIssuer(presented, 'fallback')
  }

  async function judgeByIssuer(presented: Presented, asker: Asker): Promise<Verification> {
    const asked = await introspection.ask(presented.token, asker)
    if (asked.ok && !asked.answer) return refused('revoked', 'the issuer says that it is no longer active')
    const refusal = await findRefusal(presented)
    if (refusal) return refusal
    if (!asked.ok) return asked
    return accepted(presented.checked.claims, 'introspection', asked.ageSeconds)
  }

  async function judgeOpaque(token: string): Promise<Verification> {
    if (!settings.opaque) return refused('invalid_token', 'opaque tokens are not taken here')
    const asked = await introspection.ask(token, 'opaque')
    if (!asked.ok) return asked
    if (!asked.answer) return refused('invalid_token', 'the issuer says that it is not active')
    const claims = parseClaims(asked.answer)
    if (!claims) return refused('revocation_unknown', 'the introspection answer lacks claims')
    return checkIntent(claims, settings) ?? findUntimely(claims) ?? accepted(claims, 'introspection', asked.ageSeconds)
  }

  /** What speaks against a token after time was spent on waiting: all that may have changed meanwhile. */
  async function findRefusal({ checked, waitUntil }: Presented): Promise<Refused | undefined> {
    const { claims, key } = checked
    if (!keys.isCurrent(key)) {
      const found = await keys.find(key.kid, waitUntil)
      if (found === 'unavailable') return refused('keys_unavailable', 'the issuer’s key set cannot be fetched')
      if (found !== key) return refused('invalid_token', 'its key is no longer one of the issuer’s')
    }
    return (feed && findRevoked(feed, keys, checked)) ?? findUntimely(claims)
  }

  function findUntimely(claims: AccessClaims): Refused | undefined {
    return checkTimes(claims, {
      nowSeconds: clock.now().wallMs / 1000,
      issuerSeconds: feed?.issuerSeconds(),
      toleranceSeconds,
    })
  }

  return { judge, state: () => introspection.state() }
}

function accepted(claims: AccessClaims, checked: Accepted['checked'], stalenessSeconds?: number): Accepted {
  return { ok: true, claims, checked, ...(stalenessSeconds === undefined ? {} : { stalenessSeconds }) }
}

function findRevoked(feed: Feed, keys: Pick<Keys, 'isWithdrawn'>, { claims, key }: CheckedToken): Refused | undefined {
  if (feed.has('sid', claims.sid)) return refused('revoked', 'its session has ended')
  if (feed.isOutdated(EVERYONE, claims.iat)) return refused('revoked', 'every session of everyone has ended since')
  if (feed.isOutdated(claims.sid, claims.iat)) return refused('revoked', 'the roles of its session have changed since')
  if (feed.has('jti', claims.jti)) return refused('revoked', 'it was revoked')
  if (keys.isWithdrawn(key.kid)) return refused('revoked', 'the key that signed it was withdrawn')
  return undefined
}
