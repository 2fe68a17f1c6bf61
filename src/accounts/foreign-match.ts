/** Checks passwords against hashes that other systems made, by libraries that run at the edge. Each compares in constant time. */
import { hmac } from '@noble/hashes/hmac.js'
import { sha1 } from '@noble/hashes/legacy.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import bcrypt from 'bcryptjs'
import { pause } from '../pause.ts'
import { sameBytes } from '../tokens/own-token.ts'
import { canonicalPassword } from './credentials.ts'
import { readForeignHash, type ForeignHash } from './foreign-hash.ts'
import type { Argon2 } from './hasher.ts'

const prfs = { sha1, sha256, sha512 }

/** About 25 ms. */
const ITERATIONS_A_SLICE = 10_000

/**
 * Whether this password, as it was typed, has the hash. The other system may have hashed it as it came, or as NFC, as we do.
 *
 * @throws if the hash cannot be read
 */
export async function matchForeign(argon2: Pick<Argon2, 'verify'>, hash: string, typed: string): Promise<boolean> {
  const foreign = readForeignHash(hash)
  if ('problem' in foreign) throw new Error(foreign.problem)
  const canonical = canonicalPassword(typed)
  if (await matches(argon2, foreign, canonical)) return true
  if (canonical === typed) return false
  // Two costly checks in one piece would stop the isolate for twice as long as one may.
  await pause(0)
  return matches(argon2, foreign, typed)
}

async function matches(argon2: Pick<Argon2, 'verify'>, foreign: ForeignHash, password: string): Promise<boolean> {
  switch (foreign.scheme) {
    case 'argon2':
      return argon2.verify(foreign.hash, password, {})
    case 'bcrypt':
      // Of the password's UTF-8 it takes 72 bytes, as all of its kind do.
      return bcrypt.compareSync(password, foreign.hash)
    case 'scrypt': {
      const { cost, salt, digest } = foreign
      return sameBytes(scrypt(password, salt, { ...cost, dkLen: digest.length }), digest)
    }
    case 'pbkdf2':
      return sameBytes(await pbkdf2(foreign, password), foreign.digest)
    default:
      return foreign satisfies never
  }
}

/**
 * PBKDF2, RFC 8018 section 5.2, in slices between which the other requests of the isolate have their turn. WebCrypto's stops at
 * 100,000 iterations on Cloudflare; noble's own yields by the clock, which stands still there while a request computes.
 */
async function pbkdf2(
  { prf, iterations, salt, digest }: Extract<ForeignHash, { scheme: 'pbkdf2' }>,
  password: string,
): Promise<Uint8Array> {
  const keyed = hmac.create(prfs[prf], new TextEncoder().encode(password))
  const worker = keyed.clone()
  const derived = new Uint8Array(digest.length)
  for (let block = 0; block * keyed.outputLen < derived.length; block++) {
    const part = derived.subarray(block * keyed.outputLen, (block + 1) * keyed.outputLen)
    // The number of the block as INT: 128 bytes are at most seven blocks.
    const link = keyed
      .clone()
      .update(salt)
      .update(Uint8Array.of(0, 0, 0, block + 1))
      .digest()
    part.set(link.subarray(0, part.length))
    for (let i = 1; i < iterations; i++) {
      // Half the work of a clone for each of a million turns.
      // oxlint-disable-next-line no-underscore-dangle -- the library's own name
      keyed._cloneInto(worker).update(link).digestInto(link)
      for (let at = 0; at < part.length; at++) part[at] = (part[at] ?? 0) ^ (link[at] ?? 0)
      if (i % ITERATIONS_A_SLICE === 0) await pause(0)
    }
  }
  return derived
}
