/**
 * Tokens that mean something only to this service, and that it knows again without asking the store:
 *
 *     <version><base64url( fields | MAC 16 B )>
 *
 * The MAC is HMAC-SHA-256 cut to 128 bits (RFC 2104 section 5) over the version and all fields.
 */
import { base64url } from 'jose'

const MAC_BYTES = 16

const encoder = new TextEncoder()

/** @param version the token's first characters, as in `rt1.` */
export async function writeOwnToken(
  version: string,
  fields: Uint8Array<ArrayBuffer>,
  macKey: CryptoKey,
): Promise<string> {
  return version + base64url.encode(concat(fields, await mac(version, fields, macKey)))
}

/**
 * Checks version, length, canonical encoding and MAC.
 *
 * All keys are tried, whichever fits, so that time does not tell which one did.
 *
 * @returns the fields, and the place in `macKeys` of the key that made the token
 */
export async function readOwnToken(
  presented: string,
  expected: { readonly version: string; readonly fieldBytes: number; readonly macKeys: readonly CryptoKey[] },
): Promise<{ readonly fields: Uint8Array<ArrayBuffer>; readonly keyAt: number } | undefined> {
  const { version, fieldBytes, macKeys } = expected
  const encoded = presented.slice(version.length)
  const length = Math.ceil(((fieldBytes + MAC_BYTES) * 4) / 3)
  if (!presented.startsWith(version) || encoded.length !== length || !/^[\w-]+$/.test(encoded)) return undefined
  const body = new Uint8Array(base64url.decode(encoded))
  // The characters carry a few bits more than the body: only one spelling of them is a token.
  if (base64url.encode(body) !== encoded) return undefined
  const fields = body.slice(0, fieldBytes)
  const presentedMac = body.subarray(fieldBytes)
  const matches = await Promise.all(
    macKeys.map(async (key) => sameBytes(presentedMac, await mac(version, fields, key))),
  )
  const keyAt = matches.indexOf(true)
  return keyAt === -1 ? undefined : { fields, keyAt }
}

async function mac(version: string, fields: Uint8Array<ArrayBuffer>, key: CryptoKey): Promise<Uint8Array> {
  const signed = await crypto.subtle.sign('HMAC', key, concat(encoder.encode(version), fields))
  return new Uint8Array(signed).subarray(0, MAC_BYTES)
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}

/** Compares without revealing, by its time, how much of two equally long byte strings agrees. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0)
  return difference === 0
}
