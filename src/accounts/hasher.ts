/** Password hashing with argon2id, whichever build of it does the work. */
import type { Result } from '../failure.ts'
import type { Random } from '../system.ts'
import { canonicalPassword } from './credentials.ts'
import { matchForeign } from './foreign-match.ts'
import { createHashQueue, type Overloaded } from './hash-queue.ts'
import { isSealedHash, openHash, type HashSeal } from './sealed-hash.ts'

/** The part of `@node-rs/argon2` that is used: the wasm build answers at once, the native one with a promise. */
export interface Argon2 {
  hash(password: string, options: Argon2Options): Promise<string> | string
  verify(hash: string, password: string, options: { secret?: Uint8Array }): Promise<boolean> | boolean
}

export interface Argon2Options {
  /** KiB. */
  readonly memoryCost: number
  readonly timeCost: number
  readonly parallelism: number
  readonly secret: Uint8Array
}

/** `outdated`: right, and the hash should be made anew. `unreadable`: nobody can tell, so no. */
export type PasswordMatch = 'wrong' | 'right' | 'outdated' | 'unreadable'

export interface Hasher {
  /** A PHC string of a canonical password. */
  hash(password: string): Promise<Result<string, Overloaded>>
  /**
   * Takes the password as it was typed. Costs the same work for `undefined`, an account that does not exist, and then never
   * matches. A hash that was imported costs what it costs, and is always `outdated`.
   */
  verify(hash: string | undefined, password: string): Promise<Result<PasswordMatch, Overloaded>>
}

/** The least that row P4 of the conformance table allows. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** How each hash of today begins; one that begins otherwise is weaker, or from elsewhere. */
const prefix = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$`

/**
 * `secrets` are argon2's secret parameter, without which a stolen hash cannot be tried against passwords: that of the
 * current service secret, then that of the previous one. `hashSeals` open hashes that were imported; without them none is.
 */
export function createHasher(
  argon2: Argon2,
  {
    secrets,
    hashSeals = [],
    random,
  }: { secrets: readonly [Uint8Array, ...Uint8Array[]]; hashSeals?: readonly HashSeal[]; random: Random },
): Hasher {
  const queue = createHashQueue()
  const nobody = unmatchable(random)

  async function match(hash: string, typed: string): Promise<PasswordMatch> {
    if (isSealedHash(hash))
      return (await matchForeign(argon2, await openHash(hash, hashSeals), typed)) ? 'outdated' : 'wrong'
    const password = canonicalPassword(typed)
    for (const secret of secrets)
      if (await argon2.verify(hash, password, { secret }))
        return secret === secrets[0] && hash.startsWith(prefix) ? 'right' : 'outdated'
    return 'wrong'
  }

  /** A hash that the library refuses costs the same work, so that the time does not tell of it. */
  async function matchAny(hash: string, password: string): Promise<PasswordMatch> {
    try {
      return await match(hash, password)
    } catch {
      await match(nobody, password)
      return 'unreadable'
    }
  }

  return {
    hash: (password) => queue.inTurn(() => argon2.hash(password, { ...cost, secret: secrets[0] })),
    verify: (hash, password) => queue.inTurn(() => matchAny(hash ?? nobody, password)),
  }
}

/** A hash of the current cost that no password has: random bytes in the place of a digest. */
function unmatchable(random: Random): string {
  const bytes = (length: number) => btoa(String.fromCharCode(...random.bytes(length))).replaceAll('=', '')
  return `${prefix}${bytes(16)}$${bytes(32)}`
}
