/**
 * The key ring: the signing keys, kept in the store with each private key sealed (JWE, `dir` with A256GCM, RFC 7516)
 * under a key derived from the service secret. A copy of the store signs nothing.
 */
import {
  calculateJwkThumbprint,
  compactDecrypt,
  CompactEncrypt,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { StoreUnavailable } from '../failure.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Clock } from '../system.ts'

export type SigningAlg = Config['signingAlg']

/** A key of the ring, opened. `kid` is the RFC 7638 thumbprint of its public half. */
export interface SigningKey {
  readonly kid: string
  readonly alg: SigningAlg
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  /** The public half as published: no private member, with `kid`, `use` and `alg`. */
  readonly publicJwk: JWK
}

export interface KeyRing {
  /** All published keys. */
  readonly keys: readonly SigningKey[]
  /** The one that signs. */
  readonly signing: SigningKey
}

/** Where the isolate gets its keys from. */
export interface KeyRingSource {
  /** @throws {StoreUnavailable} when there is no ring in memory and the store cannot give one. */
  current(): Promise<KeyRing>
}

/** How long an isolate uses a ring before it reads it again. */
const RING_CACHE_MS = 60_000

const storedKey = z.object({
  kid: z.string(),
  alg: z.enum(['ES256', 'EdDSA', 'RS256']),
  /** When it was added, in milliseconds since the epoch. */
  created: z.number(),
  public: z.looseObject({ kty: z.string() }),
  sealed: z.string(),
})
const storedRing = z.object({ keys: z.array(storedKey).min(1) })
type StoredKey = z.infer<typeof storedKey>

export function createKeyRing({
  store,
  keySeal,
  signingAlg,
  clock,
  log,
}: {
  readonly store: Store
  readonly keySeal: Uint8Array<ArrayBuffer>
  readonly signingAlg: SigningAlg
  readonly clock: Clock
  readonly log: Log
}): KeyRingSource {
  let held: { ring: KeyRing; readAtMs: number } | undefined

  return {
    async current() {
      if (held && clock.nowMs() - held.readAtMs < RING_CACHE_MS) return held.ring
      try {
        const ring = await openRing(await readOrBegin(), keySeal)
        held = { ring, readAtMs: clock.nowMs() }
        return ring
      } catch (error) {
        if (held && error instanceof StoreUnavailable) return held.ring
        throw error
      }
    },
  }

  /** Fifty isolates that find no ring at once make one: the first to store its key wins, the others use that. */
  async function readOrBegin(): Promise<string> {
    const stored = await store.readKeyRing()
    if (stored !== '') return stored
    const first = await makeKey(signingAlg, keySeal, clock.nowMs())
    const ours = JSON.stringify({ keys: [first] })
    const kept = await store.replaceKeyRing('', ours)
    if (kept === ours) log.event('key.added', { kid: first.kid, alg: first.alg })
    return kept
  }
}

async function makeKey(alg: SigningAlg, keySeal: Uint8Array, nowMs: number): Promise<StoredKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const secret = new TextEncoder().encode(JSON.stringify(await exportJWK(privateKey)))
  const sealed = await new CompactEncrypt(secret)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
    .encrypt(keySeal)
  return { kid, alg, created: nowMs, public: { ...jwk, kty: String(jwk.kty), kid, alg, use: 'sig' }, sealed }
}

/** @throws {StoreUnavailable} when it cannot be read or opened: the store then holds no ring of this service. */
async function openRing(stored: string, keySeal: Uint8Array): Promise<KeyRing> {
  try {
    const { keys: storedKeys } = storedRing.parse(JSON.parse(stored))
    const keys = await Promise.all(storedKeys.map((key) => openKey(key, keySeal)))
    const signing = keys.at(-1)
    if (signing) return { keys, signing }
  } catch {
    // Said below, without the parser's text.
  }
  throw new StoreUnavailable('the key ring does not open with this LATCHKEY_SECRET')
}

/** @throws if the key was sealed under another secret, or moved to another `kid`. */
async function openKey({ kid, alg, public: publicJwk, sealed }: StoredKey, keySeal: Uint8Array): Promise<SigningKey> {
  const { plaintext, protectedHeader } = await compactDecrypt(sealed, keySeal)
  if (protectedHeader['kid'] !== kid) throw new Error('a sealed key stands under another kid')
  const privateJwk: JWK = z.looseObject({ kty: z.string() }).parse(JSON.parse(new TextDecoder().decode(plaintext)))
  return {
    kid,
    alg,
    privateKey: await importKey(privateJwk, alg),
    publicKey: await importKey(publicJwk, alg),
    publicJwk,
  }
}

async function importKey(jwk: JWK, alg: SigningAlg): Promise<CryptoKey> {
  const key = await importJWK(jwk, alg)
  if (key instanceof Uint8Array) throw new Error('a signing key is not symmetric')
  return key
}

/** The JWK Set as verifiers fetch it. RFC 7517 section 5. */
export function publicKeySet({ keys }: KeyRing): { keys: JWK[] } {
  return { keys: keys.map(({ publicJwk }) => publicJwk) }
}
