/**
 * Changes to the key ring. All of them, whether a cron trigger, an isolate that notices or the operator makes them, are
 * one compare-and-set: of those that come at the same time one is made, and the others find it done.
 */
import type { Config } from '../config.ts'
import type { Actor } from '../store/audit.ts'
import type { Store } from '../store/store.ts'
import {
  addKey,
  bringForward,
  isBehind,
  nextActiveFrom,
  parseRing,
  signingKey,
  standby,
  withdraw,
  writeRing,
} from './ring.ts'
import type { Ring, RingKey, RingTimes } from './ring.ts'
import { makeKey, resealKey, type Seals } from './sealed-key.ts'

export interface RingTools {
  readonly store: Pick<Store, 'readKeyRing' | 'replaceKeyRing'>
  readonly seals: Seals
  readonly signingAlg: Config['signingAlg']
  readonly times: RingTimes
  /** Who makes the changes. */
  readonly actor: Actor
}

export interface RingChange {
  /** What is stored now. */
  readonly ring: Ring
  /** Whether it is this call's doing. */
  readonly ours: boolean
  readonly added?: RingKey | undefined
}

/** How long a retired key stays published beyond the tokens it signed: their leeway, and verifiers' caches. */
const RETIRED_EXTRA_SECONDS = 60 + 600

export function ringTimes(config: Config): RingTimes {
  return {
    signingPeriodMs: config.keySigningPeriodSeconds * 1000,
    publishAheadMs: config.keyPublishAheadSeconds * 1000,
    retiredMs: (config.accessTtlSeconds + RETIRED_EXTRA_SECONDS) * 1000,
  }
}

/**
 * Reads the ring, and adds the one key that it lacks, if it lacks one. A store that has lost its ring is given back the one
 * that is `remembered`: a new one would make bad tokens of good ones.
 */
export async function tendRing(tools: RingTools, nowMs: number, remembered: Ring = []): Promise<RingChange> {
  return change(tools, async (stored) => {
    const isLost = stored.length === 0 && remembered.length > 0
    const ring = isLost ? remembered : stored
    if (isBehind(ring, nowMs, tools.times)) return withNewKey(tools, ring, nowMs)
    return isLost ? { ring } : undefined
  })
}

/**
 * The standby signs as soon as verifiers know it, and a new standby is added. Where there is none, the key that is added is
 * the one that signs as soon as verifiers know it.
 */
export async function rotateRing(tools: RingTools, nowMs: number): Promise<RingChange> {
  return change(tools, (ring) => {
    const forwarded = bringForward(ring, nowMs, tools.times)
    if (forwarded || !signingKey(ring, nowMs)) return withNewKey(tools, forwarded ?? ring, nowMs)
    return withNewKey(tools, ring, nowMs, nowMs + tools.times.publishAheadMs)
  })
}

/**
 * Takes a key out of use at once and tells verifiers through the revocation feed. If it signed, the standby signs from now
 * on, and a new one is added. `ours` is false and nothing is changed if the ring has no such key.
 */
export async function withdrawKey(tools: RingTools, kid: string, nowMs: number): Promise<RingChange> {
  const make = async (ring: Ring) => {
    const without = withdraw(ring, kid, nowMs)
    if (!without) return undefined
    const next = standby(without, nowMs) ? { ring: without } : await withNewKey(tools, without, nowMs)
    return { ...next, withdrawn: { kid, nowMs } }
  }
  return change(tools, make)
}

/** Seals all keys under the current service secret, so that the previous one can be given up. */
export async function resealRing(tools: RingTools): Promise<RingChange> {
  return change(tools, async (ring) => ({ ring: await Promise.all(ring.map((key) => resealKey(key, tools.seals))) }))
}

interface NextRing {
  readonly ring: Ring
  readonly added?: RingKey
  readonly withdrawn?: { readonly kid: string; readonly nowMs: number }
}

async function withNewKey(
  { signingAlg, seals, times }: RingTools,
  ring: Ring,
  nowMs: number,
  activeFrom = nextActiveFrom(ring, nowMs, times),
): Promise<NextRing> {
  const added = await makeKey(signingAlg, seals, { created: nowMs, active_from: activeFrom })
  return { ring: addKey(ring, added, nowMs, times), added }
}

async function change(
  { store, actor }: RingTools,
  make: (ring: Ring) => Promise<NextRing | undefined>,
): Promise<RingChange> {
  const read = await store.readKeyRing()
  const ring = parseRing(read)
  const next = await make(ring)
  if (!next) return { ring, ours: false }
  const wanted = writeRing(next.ring)
  const stored = await store.replaceKeyRing({
    read,
    next: wanted,
    added: next.added?.kid,
    withdrawn: next.withdrawn,
    actor,
  })
  return stored === wanted ? { ...next, ours: true } : { ring: parseRing(stored), ours: false }
}
