import type { CryptoKey } from 'jose'
import { decodeProtectedHeader } from 'jose/decode/protected_header'
import { compactVerify } from 'jose/jws/compact/verify'
import { checkIntent, parseClaims } from './claims.ts'
import { parseObject } from './json.ts'
import type { Keys } from './keys.ts'
import type { CheckedToken } from './remembered.ts'
import { refused, type Refused } from './result.ts'
import type { WaitUntil } from './shared-call.ts'

/** RFC 9068 section 4: either form, in any case (RFC 7515 section 4.1.9). */
const TYPES = new Set(['at+jwt', 'application/at+jwt'])

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
  const { kid, alg, typ } = readHeader(token)
  if (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase()))
    return refused('invalid_token', 'not an access token: no JWT of typ at+jwt')
  if (typeof kid !== 'string') return refused('invalid_token', 'no kid')
  const key = await keys.find(kid, expected.waitUntil)
  if (key === 'unknown') return refused('invalid_token', 'kid is none of the issuer’s keys')
  if (key === 'unavailable') return refused('keys_unavailable', 'the issuer’s key set cannot be fetched')
  if (alg !== key.alg) return refused('invalid_token', 'alg is not that of the key')
  const payload = await verifiedPayload(token, key.key)
  if (payload === undefined) return refused('invalid_token', 'the signature is wrong')
  const claims = parseClaims(parseObject(payload) ?? {})
  if (!claims) return refused('invalid_token', 'claims are missing or of the wrong type')
  return checkIntent(claims, expected) ?? { ok: true, claims, key }
}

function readHeader(token: string): { readonly kid?: unknown; readonly alg?: unknown; readonly typ?: unknown } {
  try {
    return decodeProtectedHeader(token)
  } catch {
    return {}
  }
}

/** Undefined for whatever reason jose gives: with a key of the issuer's at hand, each of them is the token's fault. */
async function verifiedPayload(token: string, key: CryptoKey): Promise<string | undefined> {
  try {
    const { payload } = await compactVerify(token, key)
    return new TextDecoder().decode(payload)
  } catch {
    return undefined
  }
}
