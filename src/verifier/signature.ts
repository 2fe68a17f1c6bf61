import { flattenedVerify } from 'jose/jws/flattened/verify'
import { checkIntent, parseClaims } from './claims.ts'
import { parseObject, type JsonObject } from './json.ts'
import type { Keys, VerifyingKey } from './keys.ts'
import type { CheckedToken } from './remembered.ts'
import { refused, type Refused } from './result.ts'
import type { WaitUntil } from './shared-call.ts'

/** RFC 9068 section 4: either form, in any case (RFC 7515 section 4.1.9). */
const TYPES = new Set(['at+jwt', 'application/at+jwt'])

/** RFC 7515 section 7.1: header, payload and signature in base64url, without padding or white space. */
const FORM = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/
const decoder = new TextDecoder()

/**
 * Checks a JWT's `typ`, `alg`, `kid` and signature, and that it is from our issuer for us. Not its times.
 *
 * Keys come from the issuer's key set alone: `jku`, `jwk` and `x5u` are not looked at, and `alg` must be the key's own
 * (RFC 8725 section 3.1), which also rules out `none` and HMAC with the public key.
 */
export async function checkSignature(
  token: string,
  keys: Pick<Keys, 'find'>,
  expected: {
    readonly issuer: string
    readonly audiences: readonly string[]
    readonly waitUntil?: WaitUntil | undefined
  },
): Promise<CheckedToken | Refused> {
  const [, encoded = '', payload = '', signature = ''] = FORM.exec(token) ?? []
  if (encoded === '') return refused('invalid_token', 'no JWT')
  const { kid, alg, typ, crit, b64 } = readHeader(encoded)
  // No extension is known here, so none may be critical (RFC 7515 section 4.1.11).
  if (crit !== undefined || b64 !== undefined) return refused('invalid_token', 'its header has crit or b64')
  if (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase()))
    return refused('invalid_token', 'not an access token: no JWT of typ at+jwt')
  if (typeof kid !== 'string') return refused('invalid_token', 'no kid')
  const key = await keys.find(kid, expected.waitUntil)
  if (key === 'unknown') return refused('invalid_token', 'kid is none of the issuer’s keys')
  if (key === 'unavailable') return refused('keys_unavailable', 'the issuer’s key set cannot be fetched')
  if (alg !== key.alg) return refused('invalid_token', 'alg is not that of the key')
  // The one spelling of the signature: others would be remembered as tokens of their own.
  if (alg !== 'RS256' && !/^.{85}[AQgw]$/.test(signature))
    return refused('invalid_token', 'the signature is too short or too long')
  const verified = await verifiedPayload({ protected: encoded, payload, signature }, key)
  if (verified === undefined) return refused('invalid_token', 'the signature is wrong')
  const claims = parseClaims(parseObject(verified) ?? {})
  if (!claims) return refused('invalid_token', 'claims are missing or of the wrong type')
  return checkIntent(claims, expected) ?? { ok: true, claims, key }
}

type Jws = Parameters<typeof flattenedVerify>[0]

function readHeader(encoded: string): JsonObject {
  try {
    const bytes = Uint8Array.from(atob(encoded.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0))
    return parseObject(decoder.decode(bytes)) ?? {}
  } catch {
    return {}
  }
}

/** Undefined for whatever reason jose gives: with a key of the issuer's at hand, each of them is the token's fault. */
async function verifiedPayload(jws: Jws, { key }: VerifyingKey): Promise<string | undefined> {
  try {
    const { payload } = await flattenedVerify(jws, key)
    return decoder.decode(payload)
  } catch {
    return undefined
  }
}
