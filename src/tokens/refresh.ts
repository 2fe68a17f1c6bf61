/**
 * Refresh tokens: opaque to clients, self-checking at the edge.
 *
 *     rt1.<base64url( user id 16 B | sid 16 B | generation u32 | family secret 16 B | MAC 16 B )>
 *
 * The MAC is HMAC-SHA-256 cut to 128 bits (RFC 2104 section 5) over the version and all other fields. The successor of
 * a token is a function of the token, so a rotation whose answer was lost can be answered again with the same bytes.
 */
import { base64url } from 'jose'
import { failed, ok, type RefreshFailure, type Result } from '../failure.ts'
import { shortDigest } from '../short-digest.ts'
import type { Random } from '../system.ts'

export interface RefreshToken {
  /** 16 bytes in base64url, 22 characters; so is `sid`. */
  readonly userId: string
  readonly sid: string
  /** How many rotations came before: 0 to 2^32 - 1. */
  readonly generation: number
  /** 128 random bits shared by all generations of the session. */
  readonly familySecret: Uint8Array<ArrayBuffer>
}

const VERSION = 'rt1.'
const ID_BYTES = 16
const SECRET_OFFSET = 2 * ID_BYTES + 4
const MAC_OFFSET = SECRET_OFFSET + 16
const MAC_BYTES = 16
const BODY_BYTES = MAC_OFFSET + MAC_BYTES
const GENERATION_LIMIT = 0xffff_ffff

const encoder = new TextEncoder()
const version = encoder.encode(VERSION)

/** The key of the current service secret, which mints, then that of the previous one, which is still accepted. */
export type MacKeys = readonly [CryptoKey, ...CryptoKey[]]

/** A random 128-bit identifier in base64url: user ids, session ids, `jti`s. */
export function mintId(random: Random): string {
  return base64url.encode(random.bytes(ID_BYTES))
}

/** The first token of a new session. */
export function beginFamily(random: Random, userId: string): RefreshToken {
  return { userId, sid: mintId(random), generation: 0, familySecret: random.bytes(16) }
}

/** The token as its holder carries it. */
export async function mintRefreshToken(token: RefreshToken, [macKey]: MacKeys): Promise<string> {
  if (token.generation > GENERATION_LIMIT) throw new RangeError('a session cannot be rotated more than 2^32 times')
  const body = new Uint8Array(BODY_BYTES)
  body.set(base64url.decode(token.userId), 0)
  body.set(base64url.decode(token.sid), ID_BYTES)
  new DataView(body.buffer).setUint32(2 * ID_BYTES, token.generation)
  body.set(token.familySecret, SECRET_OFFSET)
  body.set(await mac(body, macKey), MAC_OFFSET)
  return VERSION + base64url.encode(body)
}

/** Checks shape, canonical encoding and MAC. A token that fails costs no store call. */
export async function parseRefreshToken(
  presented: string,
  macKeys: MacKeys,
): Promise<Result<RefreshToken, RefreshFailure>> {
  const encoded = /^rt1\.([\w-]{91})$/.exec(presented)?.[1]
  if (!encoded) return failed({ reason: 'malformed' })
  const body = new Uint8Array(base64url.decode(encoded))
  // 91 characters carry two bits more than the body: only one spelling of them is a token.
  if (base64url.encode(body) !== encoded) return failed({ reason: 'malformed' })
  if (!(await isGenuine(body, macKeys))) return failed({ reason: 'malformed' })
  const generation = new DataView(body.buffer).getUint32(2 * ID_BYTES)
  // It could have no successor.
  if (generation === GENERATION_LIMIT) return failed({ reason: 'malformed' })
  return ok({
    userId: base64url.encode(body.subarray(0, ID_BYTES)),
    sid: base64url.encode(body.subarray(ID_BYTES, 2 * ID_BYTES)),
    generation,
    familySecret: body.slice(SECRET_OFFSET, MAC_OFFSET),
  })
}

/** All that the store knows of the family secret: SHA-256 cut to the secret's own 128 bits, in base64url. */
export function familyDigest({ familySecret }: RefreshToken): Promise<string> {
  return shortDigest(familySecret)
}

/** All keys are tried, whichever fits, so that time does not tell which one did. */
async function isGenuine(body: Uint8Array, macKeys: MacKeys): Promise<boolean> {
  const presented = body.subarray(MAC_OFFSET)
  const matches = await Promise.all(macKeys.map(async (key) => sameBytes(presented, await mac(body, key))))
  return matches.includes(true)
}

async function mac(body: Uint8Array, key: CryptoKey): Promise<Uint8Array> {
  const message = new Uint8Array(version.length + MAC_OFFSET)
  message.set(version)
  message.set(body.subarray(0, MAC_OFFSET), version.length)
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, message)).subarray(0, MAC_BYTES)
}

/** Compares without revealing, by its time, how much of two equally long byte strings agrees. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0)
  return difference === 0
}
