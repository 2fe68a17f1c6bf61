/** Access tokens: signed JWTs of RFC 9068, `typ: at+jwt`, that any microservice verifies from the JWK Set. */
import { CompactSign, decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { z } from 'zod'
import { failed, ok, type Result } from '../failure.ts'
import type { KeyRing } from './keyring.ts'

const TYP = 'at+jwt'
const encoder = new TextEncoder()

/** RFC 9068 section 2.2, with `sid` of OpenID Connect and Latchkey's own `roles`. */
export interface AccessClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | string[]
  readonly client_id: string
  /** Seconds since the epoch, like `exp` and `auth_time`. */
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly sid: string
  readonly auth_time: number
  /** How the user was authenticated, where that is known: RFC 8176. */
  readonly amr?: string[] | undefined
  readonly roles: string[]
  readonly scope?: string | undefined
}

const claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  client_id: z.string(),
  iat: z.number(),
  exp: z.number(),
  jti: z.string(),
  sid: z.string(),
  auth_time: z.number(),
  amr: z.array(z.string()).optional(),
  roles: z.array(z.string()),
  scope: z.string().optional(),
})

/** The claims are complete as they are, which is why jose need not build them. */
export async function signAccessToken(payload: AccessClaims, { signing }: KeyRing): Promise<string> {
  return new CompactSign(encoder.encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: signing.alg, kid: signing.kid, typ: TYP })
    .sign(signing.privateKey)
}

interface Expected {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly nowMs: number
}

/** A good token, and the key that its signature was checked with. */
interface VerifiedToken {
  readonly claims: AccessClaims
  readonly kid: string
  readonly publicKey: CryptoKey
}

/**
 * Checks signature, `typ`, `iss`, `aud` and `exp` without any I/O. Keys come from the ring alone: `jku`, `jwk` and
 * `x5u` headers are not looked at, and `alg` must be the key's own (RFC 8725 section 3.1).
 */
export async function verifyAccessToken(
  token: string,
  ring: KeyRing,
  { issuer, audiences, nowMs }: Expected,
): Promise<Result<VerifiedToken, { reason: 'token_invalid' }>> {
  try {
    const { payload, key, protectedHeader } = await jwtVerify(token, ({ kid, alg }) => findKey(ring, kid, alg), {
      issuer,
      audience: [...audiences],
      typ: TYP,
      currentDate: new Date(nowMs),
    })
    const parsed = claims.safeParse(payload)
    if (!parsed.success) return failed({ reason: 'token_invalid' })
    return ok({ claims: parsed.data, kid: protectedHeader.kid ?? '', publicKey: key })
  } catch (error) {
    if (error instanceof errors.JOSEError) return failed({ reason: 'token_invalid' })
    throw error
  }
}

/** The `kid` that a token names, unverified: only good for looking for the key. */
export function kidOf(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid
  } catch {
    return undefined
  }
}

function findKey({ keys }: KeyRing, kid: string | undefined, alg: string): CryptoKey {
  const key = keys.find((one) => one.kid === kid && one.alg === alg)
  if (!key) throw new errors.JWKSNoMatchingKey()
  return key.publicKey
}
