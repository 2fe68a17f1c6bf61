/** The stories that are explored, each with a few of the actors, so that each is small enough to be exhausted. */
import type { Sid } from './real-store.ts'
import type { Setup } from './world.ts'

const twice = ['refresh', 'refresh'] as const

const tabs = (count: number, errands: Setup['callers'][number]['errands']): Setup['callers'] =>
  Array.from({ length: count }, (_, place) => ({ name: `tab ${place + 1}`, jar: 0, errands }))

const phone = (errands: Setup['callers'][number]['errands'], opens: Sid = 'B') =>
  ({ name: `phone ${opens}`, jar: 1, errands, opens }) as const

export const setups: readonly Setup[] = [
  {
    name: 'one client, lost and late calls, slow servers',
    callers: [{ name: 'app', jar: 0, errands: ['refresh', 'refresh', 'refresh'] }],
    allowed: { ticks: 1, pauses: 1, sleeps: 2 },
    slowServers: true,
    lateCalls: 'before the next errand',
  },
  {
    name: 'one client, lost calls, failovers',
    callers: [{ name: 'app', jar: 0, errands: ['refresh', 'refresh', 'refresh'] }],
    allowed: { ticks: 1, pauses: 1, sleeps: 1, failovers: 2 },
    failoverLoses: 'rotations',
  },
  {
    name: 'one client, a thief, late calls, a logout',
    callers: [{ name: 'app', jar: 0, errands: ['refresh', 'refresh', 'logout by refresh token'] }],
    thief: { uses: 2 },
    allowed: { ticks: 1, pauses: 1 },
    lateCalls: 'before the next errand',
  },
  {
    name: 'two tabs, late calls',
    callers: tabs(2, twice),
    lateCalls: 'before the next errand',
    allowed: { pauses: 1 },
  },
  { name: 'three tabs, one round', callers: tabs(3, ['refresh']), allowed: { ticks: 2, pauses: 1 } },
  { name: 'two tabs, two refreshes each', callers: tabs(2, twice), allowed: { ticks: 2, pauses: 2 } },
  { name: 'three tabs, two refreshes each', callers: tabs(3, twice), allowed: { pauses: 1 } },
  { name: 'two tabs, a thief', callers: tabs(2, twice), thief: { uses: 2 }, allowed: { pauses: 1 } },
  {
    name: 'two tabs, failovers',
    callers: tabs(2, twice),
    allowed: { pauses: 1, failovers: 1 },
    failoverLoses: 'rotations',
  },
  {
    name: 'two tabs, a logout in one of them',
    callers: [...tabs(2, twice).slice(1), { name: 'tab 1', jar: 0, errands: ['refresh', 'logout by refresh token'] }],
    allowed: { ticks: 1, pauses: 1 },
  },
  {
    name: 'two tabs, a logout by access token',
    callers: [...tabs(2, ['refresh']), { name: 'tab 3', jar: 0, errands: ['logout by access token'] }],
    allowed: { ticks: 1, pauses: 1 },
  },
  {
    name: 'two tabs, a login on a phone, a thief',
    callers: [...tabs(2, ['refresh']), phone(['login'])],
    thief: { uses: 2 },
    allowed: { pauses: 1 },
  },
  {
    name: 'two logins at once, a client, a logout',
    callers: [
      { name: 'app', jar: 0, errands: ['refresh', 'logout by refresh token'] },
      phone(['login', 'refresh']),
      { ...phone(['login', 'refresh'], 'C'), jar: 2 },
    ],
    allowed: { pauses: 1 },
  },
  {
    name: 'a tab, a login in another tab, late calls',
    callers: [
      { name: 'tab 1', jar: 0, errands: twice },
      { name: 'tab 2', jar: 0, errands: ['login', 'refresh'], opens: 'B' },
    ],
    allowed: { pauses: 1 },
    lateCalls: 'before the next errand',
  },
  {
    name: 'a client, a login on a phone, lost and damaged records',
    callers: [{ name: 'app', jar: 0, errands: twice }, phone(['login', 'refresh'])],
    allowed: { pauses: 1, mishaps: 2 },
  },
  {
    name: 'a client, a login on a phone, the end of every session',
    callers: [{ name: 'app', jar: 0, errands: twice }, phone(['login', 'refresh'])],
    allowed: { pauses: 1, endings: 1, mishaps: 1 },
  },
  {
    name: 'three tabs, a thief, a logout, a login',
    callers: [
      ...tabs(2, ['refresh']),
      { name: 'tab 3', jar: 0, errands: ['refresh', 'logout by refresh token'] },
      phone(['login']),
    ],
    thief: { uses: 1 },
    allowed: {},
  },
]
