/** What a million users a month cost at Upstash: computed from the counts of this run and from published prices. */
import type { OperationCost, SessionCost } from './cost.ts'

/** https://upstash.com/pricing/redis, pay as you go, as of November 2026. Dollars. */
export const prices = {
  per100kCommands: 0.2,
  perGbStored: 0.25,
  freeGbStored: 1,
  perGbMoved: 0.03,
  freeGbMoved: 200,
}

/** What a user does in a month. */
export const month = {
  users: 1_000_000,
  /** Twenty days, an hour each. */
  hours: 20,
  days: 20,
  signIns: 2,
  signOuts: 1,
  /** An access token lives five minutes. */
  refreshesPerHour: 12,
  requestsPerHour: 100,
  /** Isolates that services ask for the feed, all the time. */
  isolates: 20,
  seconds: 30 * 86_400,
}

export interface Price {
  readonly system: string
  readonly commands: number
  readonly dollars: number
}

/** How often a month, for one user unless it says for all. */
interface Habit {
  readonly operation: string
  readonly times: number
  readonly ofAll?: boolean
}

interface Plan {
  readonly system: string
  /** Whose sessions they are, as in {@link SessionCost}. */
  readonly sessionsOf: string
  readonly habits: readonly Habit[]
}

const refreshes = month.hours * month.refreshesPerHour
const requests = month.hours * month.requestsPerHour

/** In and out: as each system is used at its best. */
export const plans: readonly Plan[] = [
  {
    system: 'latchkey, services follow the feed',
    sessionsOf: 'latchkey',
    habits: [
      ...latchkeyHabits(),
      { operation: 'latchkey: reading the feed', times: month.isolates * month.seconds, ofAll: true },
    ],
  },
  {
    system: 'latchkey, every request checked live',
    sessionsOf: 'latchkey',
    habits: [...latchkeyHabits(), { operation: 'latchkey: verify, live', times: requests }],
  },
  {
    system: 'better-auth, every request checked',
    sessionsOf: 'better-auth',
    habits: [...betterAuthHabits(), { operation: 'better-auth: check', times: requests }],
  },
  {
    system: 'better-auth, checked every five minutes',
    sessionsOf: 'better-auth',
    habits: [...betterAuthHabits(), { operation: 'better-auth: check', times: refreshes }],
  },
  {
    system: 'oidc-provider, every request introspected',
    sessionsOf: 'oidc-provider',
    habits: [
      { operation: 'oidc-provider: refresh', times: refreshes },
      { operation: 'oidc-provider: logout', times: month.signOuts },
      { operation: 'oidc-provider: check', times: requests },
    ],
  },
  {
    system: 'openauth, signature only',
    sessionsOf: 'openauth',
    habits: [{ operation: 'openauth: refresh', times: refreshes }],
  },
  {
    system: 'express-session, every request checked',
    sessionsOf: 'express-session',
    habits: [
      { operation: 'express-session: check', times: requests },
      { operation: 'express-session: logout', times: month.signOuts },
    ],
  },
]

function latchkeyHabits(): Habit[] {
  return [
    { operation: 'latchkey: login', times: month.signIns },
    { operation: 'latchkey: refresh', times: refreshes },
    { operation: 'latchkey: logout', times: month.signOuts },
  ]
}

/** A session is prolonged once a day. */
function betterAuthHabits(): Habit[] {
  return [
    { operation: 'better-auth: login', times: month.signIns },
    { operation: 'better-auth: refresh', times: month.days },
    { operation: 'better-auth: logout', times: month.signOuts },
  ]
}

/** Only of systems whose every operation was counted. */
export function computePrices(operations: readonly OperationCost[], sessions: readonly SessionCost[]): Price[] {
  const costs = new Map(operations.map((cost) => [cost.name, cost]))
  return plans.flatMap(({ system, sessionsOf, habits }) => {
    const parts = habits.flatMap(({ operation, times, ofAll }) => {
      const cost = costs.get(operation)
      const all = ofAll ? times : times * month.users
      return cost ? [{ commands: cost.commands * all, bytes: (cost.bytesIn + cost.bytesOut) * all }] : []
    })
    const bytes = sessions.find((session) => session.system === sessionsOf)?.bytes
    if (parts.length < habits.length || !bytes) return []
    const commands = sum(parts.map((part) => part.commands))
    const movedGb = sum(parts.map((part) => part.bytes)) / 1e9
    const storedGb = ((bytes.get(100) ?? 0) * month.users) / 1e9
    const dollars =
      (commands / 100_000) * prices.per100kCommands +
      Math.max(0, movedGb - prices.freeGbMoved) * prices.perGbMoved +
      Math.max(0, storedGb - prices.freeGbStored) * prices.perGbStored
    return [{ system, commands, dollars }]
  })
}

export const assumptions: readonly string[] = [
  `${month.users.toLocaleString('en')} users a month, each on ${month.days} days for an hour: ${requests.toLocaleString('en')} requests to services, ${month.signIns} sign-ins and ${month.signOuts} sign-out; where access tokens live five minutes, ${refreshes} refreshes.`,
  `Prices as published at upstash.com/pricing/redis (pay as you go): $${prices.per100kCommands} for 100,000 commands, $${prices.perGbStored} for a GB stored beyond the first, $${prices.perGbMoved} for a GB moved beyond ${prices.freeGbMoved} a month. One region, no Prod Pack.`,
  'A call inside a script is a command, and the call of the script is another; each command of a pipeline or a transaction is one.',
  'Bytes moved are those of Redis’s own protocol, as Redis counts them: HTTP headers are not among them.',
  'Every user has one session, of the size that it has after 100 refreshes. Accounts are not counted: not all systems keep them in Redis.',
  `The feed: ${month.isolates} isolates are asked for it all the time, and each asks the store once a second.`,
  'better-auth keeps its users and accounts in an SQL database, whose price is not counted; it prolongs a session once a day. oidc-provider and OpenAuth have no sign-in of their own to count. express-session never rotates.',
]

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
