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
const encoder = new TextEncoder()
/**
 * 64 bytes in their one spelling: another would be remembered as a token of its own. RSA of 2,048 bits at least
 * (RFC 7518 section 3.3).
 */
const SIGNATURES: Readonly<Record<string, RegExp>> = {
  ES256: /^.{85}[AQgw]$/,
  EdDSA: /^.{85}[AQgw]$/,
  RS256: /^.{342,}$/,
}

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
  if (!SIGNATURES[key.alg]?.test(signature)) return refused('invalid_token', 'the signature has a wrong length')
  if (!(await isSigned(token, signature, key))) return refused('invalid_token', 'the signature is wrong')
  const claims = parseClaims(readPart(payload))
  if (!claims) return refused('invalid_token', 'claims are missing or of the wrong type')
  return checkIntent(claims, expected) ?? { ok: true, claims, key }
}

let last: { readonly encoded: string; readonly header: JsonObject } = { encoded: '', header: {} }

/** All tokens that a key has signed have the same header: it is read once. */
function readHeader(encoded: string): JsonObject {
  if (last.encoded !== encoded) last = { encoded, header: readPart(encoded) }
  return last.header
}

/** A header or a payload; empty when it is no JSON object. */
function readPart(encoded: string): JsonObject {
  try {
    return parseObject(decoder.decode(bytesOf(encoded))) ?? {}
  } catch {
    return {}
  }
}

/** @throws for what is no base64url */
function bytesOf(encoded: string): Uint8Array<ArrayBuffer> {
  const text = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** RFC 7515 section 5.2. The key was imported for one algorithm alone, and for no other hash than this. */
async function isSigned(token: string, signature: string, { key }: VerifyingKey): Promise<boolean> {
  const signed = encoder.encode(token.slice(0, -1 - signature.length))
  try {
    return await crypto.subtle.verify({ name: key.algorithm.name, hash: 'SHA-256' }, key, bytesOf(signature), signed)
  } catch {
    return false
  }
}
