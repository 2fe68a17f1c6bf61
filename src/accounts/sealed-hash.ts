/**
 * Password hashes of another system, as they are stored until their owner first signs in:
 *
 *     imported1.<base64url( MAC 16 B | encrypted: the hash )>
 *
 * They were made without this service's secret, so they are put under it here: whoever reads the store has nothing to try
 * passwords against, and whoever writes to it has no hash that would be believed. The MAC, HMAC-SHA-256 cut to 128 bits, is
 * taken over the hash and is the initial counter of AES-256-CTR (the construction of RFC 5297). So sealing needs no nonce,
 * and sealing twice gives the same.
 */
import { base64url } from 'jose'
import { sameBytes } from '../tokens/own-token.ts'

/** Of one service secret. */
export interface HashSeal {
  readonly mac: CryptoKey
  readonly cipher: CryptoKey
}

const VERSION = 'imported1.'
const MAC_BYTES = 16

export function isSealedHash(stored: string): boolean {
  return stored.startsWith(VERSION)
}

export async function sealHash(hash: string, { mac, cipher }: HashSeal): Promise<string> {
  const plain = new Uint8Array(new TextEncoder().encode(hash))
  const tag = await digest(plain, mac)
  const sealed = new Uint8Array(MAC_BYTES + plain.length)
  sealed.set(tag)
  sealed.set(await applyKeystream(plain, tag, cipher), MAC_BYTES)
  return VERSION + base64url.encode(sealed)
}

/** @throws if none of the seals opens it */
export async function openHash(stored: string, seals: readonly HashSeal[]): Promise<string> {
  const sealed = new Uint8Array(base64url.decode(stored.slice(VERSION.length)))
  const tag = sealed.slice(0, MAC_BYTES)
  for (const { mac, cipher } of seals) {
    const plain = await applyKeystream(sealed.slice(MAC_BYTES), tag, cipher)
    if (sameBytes(tag, await digest(plain, mac))) return new TextDecoder().decode(plain)
  }
  throw new Error('an imported hash was sealed under another secret')
}

async function digest(bytes: Uint8Array<ArrayBuffer>, key: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes)).slice(0, MAC_BYTES)
}

/** In counter mode encrypting and decrypting are the same. */
async function applyKeystream(bytes: Uint8Array<ArrayBuffer>, counter: Uint8Array<ArrayBuffer>, key: CryptoKey) {
  return new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-CTR', counter, length: 128 }, key, bytes))
}
