import {
  signingKey,
  standby,
  stateOf,
  successorOf,
  type Ring,
  type RingKey,
  type RingTimes,
} from '../../src/tokens/ring.ts'
import type { Answer } from '../answer.ts'
import type { Operator } from '../operator.ts'
import { plainTable } from '../plain-table.ts'
import { inLocalTime, inUtc, inWords } from '../times.ts'

/** Every key that the ring remembers, in the order in which they sign. */
export async function list({ tools, readRing, nowMs }: Operator): Promise<Answer> {
  const now = await nowMs()
  const ring = await readRing()
  return {
    text: ring.length === 0 ? 'There is no key yet: the first request makes one.' : tableOf(ring, now, tools.times),
    json: { keys: ring.map((key) => describeKey(key, ring, now, tools.times)) },
  }
}

/** A key for programs: times in UTC. */
export function describeKey(key: RingKey, ring: Ring, now: number, times: RingTimes) {
  const end = endOf(key, ring, now)
  return {
    kid: key.kid,
    alg: key.alg,
    state: stateOf(key, ring, now, times),
    published_at: inUtc(key.created),
    signs_from: inUtc(key.active_from),
    ...(end !== undefined && { signs_until: inUtc(end) }),
    ...(key.withdrawn_at !== undefined && { withdrawn_at: inUtc(key.withdrawn_at) }),
  }
}

function tableOf(ring: Ring, now: number, times: RingTimes): string {
  const cell = (timeMs: number | undefined) =>
    timeMs === undefined ? '' : `${inLocalTime(timeMs)}\n${inWords(timeMs, now)}`
  const rows = ring.map((key) => {
    const state = stateOf(key, ring, now, times)
    return [key.kid, key.alg, state, cell(key.created), cell(key.active_from), cell(endOf(key, ring, now))]
  })
  return plainTable(['kid', 'alg', 'state', 'published', 'signs from', 'until'], rows)
}

/** When it stops or stopped to sign, as far as that is known: its successor's time, or its withdrawal. */
function endOf(key: RingKey, ring: Ring, now: number): number | undefined {
  return key.withdrawn_at ?? successorOf(key, ring, now)?.active_from
}

/** The ring's signing key and standby, in words; part of what changes answer. */
export function describeSigning(ring: Ring, now: number): string {
  const signing = signingKey(ring, now)
  const next = standby(ring, now)
  const first = signing ? `${signing.kid} signs now.` : 'No key signs.'
  if (!next) return first
  return `${first}\n${next.kid} signs from ${inLocalTime(next.active_from)} (${inWords(next.active_from, now)}).`
}
