/**
 * Refresh tokens: opaque to clients, self-checking at the edge.
 *
 *     rt1.<base64url( user id 16 B | sid 16 B | generation u32 | family secret 16 B | MAC 16 B )>
 *
 * The successor of a token is a function of the token, so a rotation whose answer was lost can be answered again with the
 * same bytes.
 */
import { base64url } from 'jose'
import { failed, ok, type RefreshFailure, type Result } from '../failure.ts'
import { shortDigest } from '../short-digest.ts'
import type { Random } from '../system.ts'
import { readOwnToken, writeOwnToken } from './own-token.ts'

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
const FIELD_BYTES = SECRET_OFFSET + 16
const GENERATION_LIMIT = 0xffff_ffff

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
  const fields = new Uint8Array(FIELD_BYTES)
  fields.set(base64url.decode(token.userId), 0)
  fields.set(base64url.decode(token.sid), ID_BYTES)
  new DataView(fields.buffer).setUint32(2 * ID_BYTES, token.generation)
  fields.set(token.familySecret, SECRET_OFFSET)
  return writeOwnToken(VERSION, fields, macKey)
}

/** Checks shape and MAC. A token that fails costs no store call. */
export async function parseRefreshToken(
  presented: string,
  macKeys: MacKeys,
): Promise<Result<RefreshToken, RefreshFailure>> {
  const read = await readOwnToken(presented, { version: VERSION, fieldBytes: FIELD_BYTES, macKeys })
  if (!read) return failed({ reason: 'malformed' })
  const { fields } = read
  const generation = new DataView(fields.buffer).getUint32(2 * ID_BYTES)
  // It could have no successor.
  if (generation === GENERATION_LIMIT) return failed({ reason: 'malformed' })
  return ok({
    userId: base64url.encode(fields.subarray(0, ID_BYTES)),
    sid: base64url.encode(fields.subarray(ID_BYTES, 2 * ID_BYTES)),
    generation,
    familySecret: fields.slice(SECRET_OFFSET),
  })
}

/** All that the store knows of the family secret: SHA-256 cut to the secret's own 128 bits, in base64url. */
export function familyDigest({ familySecret }: RefreshToken): Promise<string> {
  return shortDigest(familySecret)
}
