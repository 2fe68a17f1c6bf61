/**
 * Opaque access tokens: nothing to read for who holds one, all that the edge needs for who made it.
 *
 *     at1.<base64url( jti 16 B | encrypted: user id 16 B, sid 16 B, iat u32, lifetime u16 | MAC 16 B )>
 *
 * Encrypt-then-MAC: AES-256-CTR, whose initial counter is the `jti` (128 random bits, so it never comes twice). The token is
 * a reference: client, audience, scope and roles are those of the session, and whether it is good is for the store to say
 * each time.
 */
import { base64url } from 'jose'
import { failed, ok, type Result } from '../failure.ts'
import { readOwnToken, writeOwnToken } from './own-token.ts'

export interface OpaqueToken {
  /** 16 bytes in base64url, 22 characters; so are `sid` and `jti`. */
  readonly userId: string
  readonly sid: string
  readonly jti: string
  /** Seconds since the epoch, like `exp`, which is less than 2^16 seconds later. */
  readonly iat: number
  readonly exp: number
}

/** Those of the current service secret, which mint, then those of the previous one, which are still accepted. */
export type OpaqueKeys = readonly [OpaqueKey, ...OpaqueKey[]]

interface OpaqueKey {
  readonly mac: CryptoKey
  readonly cipher: CryptoKey
}

const VERSION = 'at1.'
const ID_BYTES = 16
const TIMES_OFFSET = 2 * ID_BYTES
const REFERENCE_BYTES = TIMES_OFFSET + 6

export function isOpaque(token: string): boolean {
  return token.startsWith(VERSION)
}

export async function mintOpaqueToken(token: OpaqueToken, [key]: OpaqueKeys): Promise<string> {
  const reference = new Uint8Array(REFERENCE_BYTES)
  reference.set(base64url.decode(token.userId), 0)
  reference.set(base64url.decode(token.sid), ID_BYTES)
  const times = new DataView(reference.buffer, TIMES_OFFSET)
  times.setUint32(0, token.iat)
  times.setUint16(4, token.exp - token.iat)
  const jti = new Uint8Array(base64url.decode(token.jti))
  const fields = new Uint8Array(ID_BYTES + REFERENCE_BYTES)
  fields.set(jti)
  fields.set(await applyKeystream(reference, jti, key.cipher), ID_BYTES)
  return writeOwnToken(VERSION, fields, key.mac)
}

/** Checks shape, MAC and expiry. A token that fails costs no store call. */
export async function parseOpaqueToken(
  presented: string,
  keys: OpaqueKeys,
  nowMs: number,
): Promise<Result<OpaqueToken, { reason: 'token_invalid' }>> {
  const macKeys = keys.map(({ mac }) => mac)
  const read = await readOwnToken(presented, { version: VERSION, fieldBytes: ID_BYTES + REFERENCE_BYTES, macKeys })
  const key = read && keys[read.keyAt]
  if (!key) return failed({ reason: 'token_invalid' })
  const jti = read.fields.slice(0, ID_BYTES)
  const reference = await applyKeystream(read.fields.slice(ID_BYTES), jti, key.cipher)
  const times = new DataView(reference.buffer, TIMES_OFFSET)
  const iat = times.getUint32(0)
  const exp = iat + times.getUint16(4)
  if (exp * 1000 <= nowMs) return failed({ reason: 'token_invalid' })
  return ok({
    userId: base64url.encode(reference.subarray(0, ID_BYTES)),
    sid: base64url.encode(reference.subarray(ID_BYTES, TIMES_OFFSET)),
    jti: base64url.encode(jti),
    iat,
    exp,
  })
}

/** In counter mode encrypting and decrypting are the same. */
async function applyKeystream(bytes: Uint8Array<ArrayBuffer>, counter: Uint8Array<ArrayBuffer>, key: CryptoKey) {
  return new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-CTR', counter, length: 128 }, key, bytes))
}
