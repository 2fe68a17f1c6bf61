/** The keys that are derived from the one service secret, by label. HKDF with SHA-256, RFC 5869. */

const encoder = new TextEncoder()

export interface DerivedKeys {
  /** HMAC-SHA-256 key of refresh tokens. */
  readonly refreshMac: CryptoKey
  /** 256-bit key under which signing keys are sealed. */
  readonly keySeal: Uint8Array<ArrayBuffer>
  /** argon2's secret parameter: a stolen database alone cannot be cracked. */
  readonly passwordSecret: Uint8Array<ArrayBuffer>
}

/** The labels are part of the stored format: a new meaning needs a new label. */
const labels = {
  refreshMac: 'latchkey refresh-token mac v1',
  keySeal: 'latchkey signing-key seal v1',
  passwordSecret: 'latchkey password secret v1',
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
  const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  return {
    refreshMac: await crypto.subtle.deriveKey(parameters(labels.refreshMac), root, hmac, false, ['sign']),
    keySeal: await bits(labels.keySeal),
    passwordSecret: await bits(labels.passwordSecret),
  }
}
