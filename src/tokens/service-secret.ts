/** The keys that are derived from the one service secret, by label. HKDF with SHA-256, RFC 5869. */

const encoder = new TextEncoder()

export interface DerivedKeys {
  /** HMAC-SHA-256 key of refresh tokens. */
  readonly refreshMac: CryptoKey
  /** Of opaque access tokens: the HMAC-SHA-256 key, and the AES-256-CTR key that hides what one refers to. */
  readonly opaque: { readonly mac: CryptoKey; readonly cipher: CryptoKey }
  /** 256-bit key under which signing keys are sealed. */
  readonly keySeal: Uint8Array<ArrayBuffer>
  /** HMAC-SHA-256 key of what a log may only hold in a form that nobody can guess back. */
  readonly logMac: CryptoKey
  /** argon2's secret parameter: a stolen database alone cannot be cracked. */
  readonly passwordSecret: Uint8Array<ArrayBuffer>
  /** Of imported password hashes: the HMAC-SHA-256 key, and the AES-256-CTR key that hides them. */
  readonly hashSeal: { readonly mac: CryptoKey; readonly cipher: CryptoKey }
}

const aes = { name: 'AES-CTR', length: 256 }
const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 }

/** The labels are part of the stored format: a new meaning needs a new label. */
const labels = {
  refreshMac: 'latchkey refresh-token mac v1',
  opaqueMac: 'latchkey opaque-token mac v1',
  opaqueCipher: 'latchkey opaque-token cipher v1',
  keySeal: 'latchkey signing-key seal v1',
  passwordSecret: 'latchkey password secret v1',
  hashMac: 'latchkey imported-hash mac v1',
  hashCipher: 'latchkey imported-hash cipher v1',
  logMac: 'latchkey log digest v1',
}

export async function deriveKeys(secret: Uint8Array<ArrayBuffer>): Promise<DerivedKeys> {
  const root = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits', 'deriveKey'])
  const parameters = (label: string) => ({
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: encoder.encode(label),
  })
  const bits = async (label: string) => new Uint8Array(await crypto.subtle.deriveBits(parameters(label), root, 256))
  const mac = (label: string) => crypto.subtle.deriveKey(parameters(label), root, hmac, false, ['sign'])
  const cipher = (label: string) => crypto.subtle.deriveKey(parameters(label), root, aes, false, ['encrypt'])
  return {
    refreshMac: await mac(labels.refreshMac),
    opaque: { mac: await mac(labels.opaqueMac), cipher: await cipher(labels.opaqueCipher) },
    hashSeal: { mac: await mac(labels.hashMac), cipher: await cipher(labels.hashCipher) },
    logMac: await mac(labels.logMac),
    keySeal: await bits(labels.keySeal),
    passwordSecret: await bits(labels.passwordSecret),
  }
}
