/** Access tokens whose signature this isolate has found good, so that it is checked once and not at every request. */
import { LRUCache } from 'lru-cache'
import type { PresentedToken } from './active-token.ts'

/** About 10 MB of memory at most. Who is forgotten is checked again. */
const TOKENS_LIMIT = 5000

export interface CheckedToken {
  readonly token: PresentedToken
  readonly kid: string
  /** What the signature was checked with: once it is published no longer, this is worth nothing. */
  readonly publicKey: CryptoKey
}

export interface CheckedTokens {
  /** A token that is remembered and has not expired. Whether its key is still published is the caller's to look. */
  find(presented: string, nowMs: number): CheckedToken | undefined
  /** Only for a token that has just been found good. */
  remember(presented: string, checked: CheckedToken): void
}

export function createCheckedTokens(): CheckedTokens {
  const tokens = new LRUCache<string, CheckedToken>({ max: TOKENS_LIMIT })
  return {
    find(presented, nowMs) {
      const known = tokens.get(presented)
      return known && nowMs < known.token.exp * 1000 ? known : undefined
    },
    remember: (presented, checked) => void tokens.set(presented, checked),
  }
}
