/** Signing keys made, sealed and opened. Sealed: a compact JWE, `dir` with A256GCM (RFC 7516), bound to its `kid`. */
import {
  calculateJwkThumbprint,
  compactDecrypt,
  CompactEncrypt,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
} from 'jose'
import type { JWK } from 'jose'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { RingKey } from './ring.ts'

/** The sealing key of the current service secret, then that of the previous one. */
export type Seals = readonly [Uint8Array<ArrayBuffer>, ...Uint8Array<ArrayBuffer>[]]

/** A key of the ring, opened. `kid` is the RFC 7638 thumbprint of its public half. */
export interface SigningKey {
  readonly kid: string
  readonly alg: Config['signingAlg']
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  /** The public half as published: no private member, with `kid`, `use` and `alg`. */
  readonly publicJwk: JWK
}

export async function makeKey(
  alg: Config['signingAlg'],
  [seal]: Seals,
  times: Pick<RingKey, 'created' | 'active_from'>,
): Promise<RingKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const sealed = await sealText(JSON.stringify(await exportJWK(privateKey)), kid, seal)
  return { kid, alg, ...times, public: { ...jwk, kty: String(jwk.kty), kid, alg, use: 'sig' }, sealed }
}

/** @throws if none of the seals opens it, or if it was moved to another `kid`. */
export async function openKey(key: RingKey, seals: Seals): Promise<SigningKey> {
  const { kid, alg, public: publicJwk } = key
  const privateJwk: JWK = z.looseObject({ kty: z.string() }).parse(JSON.parse(await unsealText(key, seals)))
  return {
    kid,
    alg,
    privateKey: await importKey(privateJwk, alg),
    publicKey: await importKey(publicJwk, alg),
    publicJwk,
  }
}

/** The same key, sealed under the current service secret. */
export async function resealKey(key: RingKey, seals: Seals): Promise<RingKey> {
  return { ...key, sealed: await sealText(await unsealText(key, seals), key.kid, seals[0]) }
}

async function sealText(text: string, kid: string, seal: Uint8Array): Promise<string> {
  const header = { alg: 'dir', enc: 'A256GCM', kid }
  return new CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader(header).encrypt(seal)
}

async function unsealText({ kid, sealed }: RingKey, seals: Seals): Promise<string> {
  for (const seal of seals) {
    const opened = await compactDecrypt(sealed, seal).catch((error: unknown) => {
      if (error instanceof errors.JWEDecryptionFailed) return undefined
      throw error
    })
    if (!opened) continue
    if (opened.protectedHeader['kid'] !== kid) throw new Error('a sealed key stands under another kid')
    return new TextDecoder().decode(opened.plaintext)
  }
  throw new Error('a sealed key was sealed under another secret')
}

async function importKey(jwk: JWK, alg: Config['signingAlg']): Promise<CryptoKey> {
  const key = await importJWK(jwk, alg)
  if (key instanceof Uint8Array) throw new Error('a signing key is not symmetric')
  return key
}
