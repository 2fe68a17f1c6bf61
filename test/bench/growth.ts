/** Whether many sessions make anything slower: the same calls to stores of different sizes, side by side. */
import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { createKeyNames } from '../../src/store/keys.ts'
import { systemRandom } from '../../src/system.ts'
import { beginFamily, type RefreshToken } from '../../src/tokens/refresh.ts'
import type { Comparison } from './comparisons.ts'
import type { Item } from './item.ts'
import type { Round } from './measure.ts'
import { measureAll, type Row, type RoundsOptions } from './rounds.ts'
import type { Latchkey } from './stage.ts'

export interface GrowthSize {
  readonly sessions: number
  /** What they take in Redis, as it says itself. */
  readonly bytes: number
}

export interface Growth {
  readonly sizes: readonly GrowthSize[]
  readonly rows: readonly Row[]
  /** Each size to the smallest. */
  readonly comparisons: readonly Comparison[]
}

export const growthSizes = { full: [1000, 100_000, 1_000_000], quick: [1000, 10_000, 100_000] } as const

/** More than are used up in a millisecond. */
const stockPerMs = { alone: 2, together: 5 }
const batch = 5000

export function growthName(sessions: number, operation: string): string {
  return `${sessions.toLocaleString('en')} sessions: ${operation}`
}

export const operationNames = ['refresh', 'verify, live'] as const

export async function measureGrowth(counts: readonly number[], options: Omit<RoundsOptions, 'items'>): Promise<Growth> {
  const { stage, onProgress, signal } = options
  const sizes: GrowthSize[] = []
  const items: Item[] = []
  for (const sessions of counts) {
    const store = await stage.anotherStore()
    const latchkey = await stage.anotherLatchkey(store)
    const crowd = await seed(latchkey, store.direct, { sessions, onProgress, signal })
    sizes.push({ sessions, bytes: crowd.bytes })
    items.push(...itemsOf(crowd, latchkey))
  }
  const [smallest = 0] = counts
  const comparisons = operationNames.flatMap((name) =>
    counts.slice(1).map((count) => ({ of: growthName(count, name), to: growthName(smallest, name) })),
  )
  return { sizes, rows: await measureAll({ ...options, items }), comparisons }
}

/** Sessions that are in the store, told by their number. */
interface Crowd {
  readonly sessions: number
  readonly bytes: number
  readonly session: (index: number) => Omit<RefreshToken, 'generation'>
}

interface SeedOptions {
  readonly sessions: number
  readonly onProgress: (what: string) => void
  readonly signal: AbortSignal
}

/** Opens one session as a sign-in does, and writes the others as that one was written. */
async function seed(latchkey: Latchkey, direct: Redis, { sessions, onProgress, signal }: SeedOptions): Promise<Crowd> {
  const { operator } = latchkey
  const keys = createKeyNames(operator.config.store.buckets)
  const [account] = await operator.createAccounts(1)
  if (!account) throw new Error('There is no account.')
  const family = beginFamily(systemRandom, account.userId)
  await operator.open(account, family)
  const key = keys.session(account.userId)
  const record = (await direct.get(key)) ?? ''
  const lifeMs = await direct.pttl(key)
  const before = await usedBytes(direct)
  const session = (index: number) => {
    const id = createHash('sha256').update(`session ${index}`).digest()
    // One secret for all: each record still has a digest of its size.
    return {
      userId: id.subarray(0, 16).toString('base64url'),
      sid: id.subarray(16).toString('base64url'),
      familySecret: family.familySecret,
    }
  }
  for (let done = 0; done < sessions;) {
    signal.throwIfAborted()
    onProgress(`writing ${sessions.toLocaleString('en')} sessions: ${done.toLocaleString('en')}`)
    const some = direct.pipeline()
    for (const end = Math.min(sessions, done + batch); done < end; done++) {
      const { userId, sid } = session(done)
      some.set(keys.session(userId), record.replace(family.sid, sid), 'PX', lifeMs)
    }
    await some.exec()
  }
  return { sessions, bytes: (await usedBytes(direct)) - before, session }
}

async function usedBytes(direct: Redis): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await direct.info('memory'))?.[1])
}

function itemsOf(crowd: Crowd, { operator, web }: Latchkey): Item[] {
  const generations = new Map<number, number>()
  const anyone = () => Math.floor(Math.random() * crowd.sessions)

  /** Tokens of sessions chosen at random, each session once. */
  async function issueSome({ callers, ms }: Round) {
    const stock = Math.ceil(ms * (callers === 1 ? stockPerMs.alone : stockPerMs.together))
    const chosen = new Set(Array.from({ length: stock }, anyone))
    return Promise.all(
      [...chosen].map(async (index) => {
        const session = { ...crowd.session(index), generation: generations.get(index) ?? 0 }
        const { accessToken, refreshToken } = await operator.issue(session)
        return { index, accessToken, refreshToken }
      }),
    )
  }

  /** One call with each. */
  function item(name: string, call: (tokens: Awaited<ReturnType<typeof issueSome>>[number]) => Promise<unknown>): Item {
    let tokens: Awaited<ReturnType<typeof issueSome>> = []
    return {
      name: growthName(crowd.sessions, name),
      tags: ['growth'],
      prepare: async () => ({
        async refill(round) {
          tokens = await issueSome(round)
        },
        async run() {
          const next = tokens.pop()
          if (next === undefined) return 0
          await call(next)
          return 1
        },
      }),
    }
  }

  const [refresh, verify] = operationNames
  return [
    item(refresh, async ({ index, refreshToken }) => {
      await web.postJson({ path: '/v1/refresh' }, { refresh_token: refreshToken })
      generations.set(index, (generations.get(index) ?? 0) + 1)
    }),
    item(verify, ({ accessToken }) =>
      web.call({ path: '/v1/verify?fresh=1', headers: { authorization: `Bearer ${accessToken}` }, status: 204 }),
    ),
  ]
}
