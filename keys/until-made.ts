import type { RingChange } from '../src/tokens/key-changes.ts'
import type { Ring } from '../src/tokens/ring.ts'
import { Refusal } from './answer.ts'

/** Others change a ring every few days; one that comes between five times in a row is a fault. */
const ATTEMPTS = 5

/**
 * Repeats a change that lost to another, until it is made or `isMade` says that the other did the same.
 *
 * @throws {Refusal} if others come between again and again
 */
export async function untilMade(
  change: () => Promise<RingChange>,
  isMade: (ring: Ring) => boolean | Promise<boolean>,
): Promise<RingChange> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const made = await change()
    if (made.ours || (await isMade(made.ring))) return made
  }
  throw new Refusal('Nothing was done: others keep changing the ring at the same time. Try again.')
}
