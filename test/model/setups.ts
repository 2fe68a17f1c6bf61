/** The stories that are explored, each with a few of the actors, so that each is small enough to be exhausted. */
import type { Setup } from './world.ts'

const twice = ['refresh', 'refresh'] as const

const tabs = (count: number, errands: Setup['callers'][number]['errands']): Setup['callers'] =>
  Array.from({ length: count }, (_, place) => ({ name: `tab ${place + 1}`, jar: 0, errands }))

export const setups: readonly Setup[] = [
  {
    name: 'one client, lost and late calls, slow servers',
    callers: [{ name: 'app', jar: 0, errands: ['refresh', 'refresh', 'refresh'] }],
    allowed: { ticks: 2, pauses: 1, sleeps: 1 },
    slowServers: true,
    lateCalls: 'before the next errand',
  },
  {
    name: 'one client, lost calls, failovers',
    callers: [{ name: 'app', jar: 0, errands: ['refresh', 'refresh', 'refresh'] }],
    allowed: { ticks: 1, pauses: 1, sleeps: 1, failovers: 2 },
    failoverLoses: 'rotations',
  },
  { name: 'two tabs, lost calls', callers: tabs(2, twice), allowed: { ticks: 2, pauses: 1 } },
]
