/** Access tokens whose signature this isolate has found good, so that it is checked once and not at every request. */
import { LRUCache } from 'lru-cache'
import type { AccessClaims } from './access.ts'
import type { KeyRing } from './keyring.ts'

/** About 10 MB of memory at most. Who is forgotten is checked again. */
const TOKENS_LIMIT = 5000

interface CheckedToken {
  readonly claims: AccessClaims
  readonly kid: string
  /** What the signature was checked with: once it is published no longer, this is worth nothing. */
  readonly publicKey: CryptoKey
}

export interface CheckedTokens {
  /** The `kid` of a token that is remembered. */
  kidOf(token: string): string | undefined
  /** The claims of a token that is remembered, has not expired, and whose key is still published. */
  find(token: string, ring: KeyRing, nowMs: number): AccessClaims | undefined
  /** Only for a token that has just been found good. */
  remember(token: string, checked: CheckedToken): void
}

export function createCheckedTokens(): CheckedTokens {
  const tokens = new LRUCache<string, CheckedToken>({ max: TOKENS_LIMIT })
  return {
    kidOf: (token) => tokens.get(token)?.kid,
    find(token, { keys }, nowMs) {
      const known = tokens.get(token)
      if (!known || known.claims.exp * 1000 <= nowMs) return undefined
      return keys.some(({ publicKey }) => publicKey === known.publicKey) ? known.claims : undefined
    },
    remember: (token, checked) => void tokens.set(token, checked),
  }
}
