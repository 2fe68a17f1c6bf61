import { StoreUnavailable } from '../../src/failure.ts'
import { systemRandom } from '../../src/system.ts'
import type { RingTools } from '../../src/tokens/key-changes.ts'
import { parseRing, type Ring } from '../../src/tokens/ring.ts'
import type { Seals } from '../../src/tokens/sealed-key.ts'
import { actor } from './actor.ts'

export const MINUTE_MS = 60_000
export const DAY_MS = 24 * 60 * MINUTE_MS
export const T0 = 1_800_000_000_000
export const times = { signingPeriodMs: 30 * DAY_MS, publishAheadMs: 30 * MINUTE_MS, retiredMs: 16 * MINUTE_MS }
export const seals: Seals = [systemRandom.bytes(32)]

/** The one place where a ring is kept, with the store's compare-and-set, and outages at will. */
export function ringStore() {
  let stored = ''
  let writes = 0
  let isDown = false
  const answer = async <T>(value: () => T): Promise<T> => {
    if (isDown) throw new StoreUnavailable('down')
    return value()
  }
  const tools: RingTools = {
    store: {
      readKeyRing: () => answer(() => stored),
      replaceKeyRing: ({ read, next }) =>
        answer(() => {
          if (stored === read) {
            stored = next
            writes++
          }
          return stored
        }),
    },
    seals,
    signingAlg: 'ES256',
    times,
    actor,
  }
  return {
    tools,
    ring: (): Ring => parseRing(stored),
    writes: () => writes,
    lose: () => void (stored = ''),
    setDown: (down: boolean) => void (isDown = down),
  }
}
