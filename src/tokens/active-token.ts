/** Access tokens as they are presented, of either kind: a JWT that says what it is, or a reference that says nothing. */
import { failed, ok, type Result } from '../failure.ts'
import type { Keep } from '../keep.ts'
import type { Parts } from '../parts.ts'
import { kidOf, verifyAccessToken, type AccessClaims } from './access.ts'
import { isOpaque, parseOpaqueToken } from './opaque.ts'
import { userIdOf } from './subject.ts'

type Invalid = { readonly reason: 'token_invalid' }

/** What the edge can tell of a token without asking the store. */
export interface PresentedToken {
  /** Under which the store keeps the session. */
  readonly userId: string
  readonly sid: string
  readonly jti: string
  /** Seconds since the epoch, like `exp`. */
  readonly iat: number
  readonly exp: number
  /** Of a JWT. What an opaque token stands for is the session's to say. */
  readonly claims?: AccessClaims | undefined
}

/** A token whose session is live, with everything that it stands for. */
export interface ActiveToken extends Omit<PresentedToken, 'claims'> {
  /** Whom it is about: the user id, or the subject that another login system has authenticated. */
  readonly sub: string
  readonly subject?: string | undefined
  readonly clientId: string
  readonly audiences: readonly string[]
  /** Space-separated, and those that the session has now, not those of the token. */
  readonly roles: string
  /** How the user was authenticated, space-separated, '' where that is not known: RFC 8176. */
  readonly amr: string
  readonly scope?: string | undefined
  /** Seconds since the epoch. */
  readonly authTime: number
  readonly how: 'live' | 'cached' | 'stale'
}

type ReadParts = Pick<Parts, 'config' | 'keyRing' | 'clock' | 'opaqueKeys' | 'checkedTokens'>

/**
 * Checks what costs no store call: signature or MAC, issuer and expiry.
 *
 * `certain` is for callers who take a no for an answer about the token: a key that this server does not know yet is looked for.
 * Whoever may be gone before the store answers gives a `keep`.
 * @throws {StoreUnavailable} when it cannot be
 */
export async function readAccessToken(
  { config, keyRing, clock, opaqueKeys, checkedTokens }: ReadParts,
  presented: string,
  { certain, keep }: { readonly certain: boolean; readonly keep?: Keep | undefined } = { certain: false },
): Promise<Result<PresentedToken, Invalid>> {
  const nowMs = clock.nowMs()
  if (isOpaque(presented)) return parseOpaqueToken(presented, opaqueKeys, nowMs)
  const known = checkedTokens.find(presented, nowMs)
  const ring = await keyRing.current(known?.kid ?? kidOf(presented), { certain, keep })
  if (known && ring.keys.some(({ publicKey }) => publicKey === known.publicKey)) return ok(known.token)
  const { issuer, audiences } = config
  const read = await verifyAccessToken(presented, ring, { issuer, audiences, nowMs })
  if (!read.ok) return read
  const { claims, ...signed } = read.value
  const { sub, sid, jti, iat, exp } = claims
  const token: PresentedToken = { userId: await userIdOf(sub), sid, jti, iat, exp, claims }
  checkedTokens.remember(presented, { token, ...signed })
  return ok(token)
}

/**
 * Checks a token, and that its session is live. An opaque token is never answered for from memory.
 *
 * @param expected the token must be meant for one of `audiences`; `fresh` demands the store's own answer
 * @throws {StoreUnavailable} when neither the store nor memory can tell
 */
export async function checkAccessToken(
  parts: ReadParts & Pick<Parts, 'liveCheck'>,
  presented: string,
  expected: { readonly audiences: readonly string[]; readonly fresh: boolean; readonly keep?: Keep },
): Promise<Result<ActiveToken, Invalid>> {
  const read = await readAccessToken(parts, presented, { certain: expected.fresh, keep: expected.keep })
  if (!read.ok) return read
  const { userId, sid, jti, iat, exp, claims } = read.value
  // Before the store is asked, where the token tells.
  if (claims && !isFor(audiencesOf(claims), expected.audiences)) return failed({ reason: 'token_invalid' })
  const answer = await parts.liveCheck.check(read.value, { fresh: expected.fresh || !claims, keep: expected.keep })
  if (!answer.live) return failed({ reason: 'token_invalid' })
  const { clientId, subject, roles, amr, authAtMs } = answer.session
  const client = parts.config.clients.find(({ id }) => id === clientId)
  const audiences = claims ? audiencesOf(claims) : (client?.audiences ?? [])
  if (!isFor(audiences, expected.audiences)) return failed({ reason: 'token_invalid' })
  return ok({
    userId,
    sid,
    jti,
    iat,
    exp,
    sub: subject ?? userId,
    subject,
    clientId,
    audiences,
    roles,
    amr,
    scope: claims ? claims.scope : client?.scope,
    authTime: Math.floor(authAtMs / 1000),
    how: answer.how,
  })
}

function audiencesOf({ aud }: AccessClaims): readonly string[] {
  return typeof aud === 'string' ? [aud] : aud
}

function isFor(audiences: readonly string[], wanted: readonly string[]): boolean {
  return audiences.some((audience) => wanted.includes(audience))
}
