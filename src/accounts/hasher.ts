/** Password hashing with argon2id, whichever build of it does the work. */
import type { Result } from '../failure.ts'
import type { Random } from '../system.ts'
import { createHashQueue, type Overloaded } from './hash-queue.ts'

/** The part of `@node-rs/argon2` that is used: the wasm build answers at once, the native one with a promise. */
export interface Argon2 {
  hash(password: string, options: Argon2Options): Promise<string> | string
  verify(hash: string, password: string, options: { secret: Uint8Array }): Promise<boolean> | boolean
}

export interface Argon2Options {
  /** KiB. */
  readonly memoryCost: number
  readonly timeCost: number
  readonly parallelism: number
  readonly secret: Uint8Array
}

export interface Hasher {
  /** A PHC string. */
  hash(password: string): Promise<Result<string, Overloaded>>
  /** Costs the same work for `undefined`, an account that does not exist, and then is never true. */
  verify(hash: string | undefined, password: string): Promise<Result<boolean, Overloaded>>
}

/** The least that row P4 of the conformance table allows. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** `secret` is argon2's secret parameter: without it a stolen hash cannot be tried against passwords. */
export function createHasher(argon2: Argon2, { secret, random }: { secret: Uint8Array; random: Random }): Hasher {
  const queue = createHashQueue()
  const nobody = unmatchable(random)
  return {
    hash: (password) => queue.inTurn(() => argon2.hash(password, { ...cost, secret })),
    verify: (hash, password) => queue.inTurn(() => argon2.verify(hash ?? nobody, password, { secret })),
  }
}

/** A hash of the current cost that no password has: random bytes in the place of a digest. */
function unmatchable(random: Random): string {
  const bytes = (length: number) => btoa(String.fromCharCode(...random.bytes(length))).replaceAll('=', '')
  const { memoryCost, timeCost, parallelism } = cost
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${bytes(16)}$${bytes(32)}`
}
