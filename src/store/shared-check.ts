/** The live check of access tokens in the store. Checks of one bucket that arrive while another is under way share a call. */
import type { KeyNames } from './keys.ts'
import { findLive } from './record.ts'
import { shareCalls } from './shared-call.ts'
import type { CheckedSession, Store } from './store.ts'
import { unreadable } from './upstash-connection.ts'

type Token = Parameters<Store['check']>[0]

interface CheckParts {
  readonly keys: KeyNames
  /** `MGET` within so many milliseconds. @throws {StoreUnavailable} */
  readonly readMany: (keys: string[], withinMs: number) => Promise<readonly (string | null)[]>
  readonly idleMs: number
  /** Deadline of each check. */
  readonly timeoutMs: number
}

export function createSharedCheck({ keys, readMany, idleMs, timeoutMs }: CheckParts): Store['check'] {
  const keysOf = ({ userId, jti }: Token) => [keys.session(userId), keys.denial(userId, jti)]

  async function checkAll(tokens: readonly Token[], withinMs: number): Promise<readonly CheckedSession[]> {
    const [first] = tokens
    if (!first) return []
    // One bucket has one epoch.
    const names = [keys.epoch(first.userId), ...tokens.flatMap(keysOf)]
    const [epoch = null, ...found] = await readMany(names, withinMs)
    if (found.length !== names.length - 1) return unreadable()
    return tokens.map((token, i) => {
      const [record = null, denial] = [found[2 * i], found[2 * i + 1]]
      return denial === null ? findLive({ record, epoch }, { ...token, idleMs }) : { status: 'denied' }
    })
  }

  const checksOf = new Map(keys.feeds.map((bucket) => [bucket, shareCalls(checkAll, timeoutMs)]))
  return async (token) => {
    const check = checksOf.get(keys.feed(token.userId)) ?? shareCalls(checkAll, timeoutMs)
    return check(token)
  }
}
