/**
 * What was revoked, in memory: about 8 bytes of fingerprint an entry, and room for the table to grow.
 *
 * Entries are kept in one table for each minute in which they may be forgotten, so that forgetting a million of them is
 * dropping a few tables. A fingerprint has 63 bits, seeded at random for each process: among a million entries a
 * token that was not revoked is taken for one about once in 10^13 checks.
 */

/** `sid`: a session and all its tokens. `jti`: one token. `kid`: all that the key has signed. */
export type RevokedKind = 'sid' | 'jti' | 'kid'

export interface Revoked {
  /** `expSeconds`: seconds since the epoch, by the issuer's clock, after which the entry may be forgotten. */
  add(kind: RevokedKind, id: string, expSeconds: number): void
  has(kind: RevokedKind, id: string): boolean
  /** Forgets what may be forgotten at `issuerSeconds`; up to a minute late. */
  prune(issuerSeconds: number): void
  size(): number
}

const BUCKET_SECONDS = 60

export function createRevoked(): Revoked {
  const tables = new Map<number, FingerprintTable>()
  let seeds: Uint32Array | undefined
  const print = (kind: RevokedKind, id: string) => {
    // Not before it is needed: workerd gives no random values to a module while it loads.
    seeds ??= crypto.getRandomValues(new Uint32Array(2))
    return fingerprint(`${kind}:${id}`, seeds)
  }
  return {
    add(kind, id, expSeconds) {
      const bucket = Math.floor(expSeconds / BUCKET_SECONDS)
      const table = tables.get(bucket) ?? createTable()
      tables.set(bucket, table)
      table.add(print(kind, id))
    },
    has(kind, id) {
      if (tables.size === 0) return false
      const wanted = print(kind, id)
      for (const table of tables.values()) if (table.has(wanted)) return true
      return false
    },
    prune(issuerSeconds) {
      for (const bucket of tables.keys()) if ((bucket + 1) * BUCKET_SECONDS < issuerSeconds) tables.delete(bucket)
    },
    size: () => [...tables.values()].reduce((sum, table) => sum + table.size(), 0),
  }
}

interface Fingerprint {
  readonly high: number
  readonly low: number
}

/** Two 32-bit hashes in the manner of MurmurHash3. `high` is odd, so that no fingerprint looks like an empty place. */
function fingerprint(text: string, seeds: Uint32Array): Fingerprint {
  let [high = 0, low = 0] = seeds
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    high = Math.imul(high ^ unit, 0x85_eb_ca_6b)
    low = Math.imul(low ^ unit, 0xc2_b2_ae_35)
    high ^= high >>> 15
    low ^= low >>> 13
  }
  high = Math.imul(high ^ (low >>> 16), 0x27_d4_eb_2f)
  low = Math.imul(low ^ (high >>> 15), 0x16_56_67_b1)
  return { high: ((high ^ (high >>> 16)) | 1) >>> 0, low: (low ^ (low >>> 16)) >>> 0 }
}

interface FingerprintTable {
  add(entry: Fingerprint): void
  has(entry: Fingerprint): boolean
  size(): number
}

/** Open addressing with linear probing: the two halves of an entry stand side by side. */
function createTable(): FingerprintTable {
  let places = 16
  let used = 0
  let words = new Uint32Array(places * 2)

  /** The place of the entry, or the empty one where it belongs. */
  const find = ({ high, low }: Fingerprint) => {
    let place = low & (places - 1)
    while (words[place * 2] !== 0 && (words[place * 2] !== high || words[place * 2 + 1] !== low))
      place = (place + 1) & (places - 1)
    return place
  }
  const put = (entry: Fingerprint) => {
    const place = find(entry)
    if (words[place * 2] !== 0) return
    words[place * 2] = entry.high
    words[place * 2 + 1] = entry.low
    used += 1
  }
  const grow = () => {
    const old = words
    places *= 2
    used = 0
    words = new Uint32Array(places * 2)
    for (let i = 0; i < old.length; i += 2) {
      const [high = 0, low = 0] = [old[i], old[i + 1]]
      if (high !== 0) put({ high, low })
    }
  }
  return {
    add(entry) {
      // Above three quarters, runs of taken places get long.
      if (used >= places * 0.75) grow()
      put(entry)
    },
    has: (entry) => words[find(entry) * 2] !== 0,
    size: () => used,
  }
}
