/** Time and chance: the only places on the server that read the clock or the random source. */

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
}

export interface Random {
  /** `length` bytes from a cryptographically secure source. */
  bytes(length: number): Uint8Array<ArrayBuffer>
}

export const systemClock: Clock = { nowMs: () => Date.now() }

export const systemRandom: Random = { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) }
