/** Tokens whose signature was found good, so that it is checked once. Time and revocation are for the caller to check. */
import type { AccessClaims } from './claims.ts'
import type { VerifyingKey } from './keys.ts'

export interface CheckedToken {
  readonly ok: true
  readonly claims: AccessClaims
  /** What the signature was checked with; once it is no longer current, neither is this. */
  readonly key: VerifyingKey
}

export interface Remembered {
  get(token: string): CheckedToken | undefined
  set(token: string, checked: CheckedToken): void
  forget(token: string): void
  size(): number
}

/** Holds at most `limit` tokens. When full, the half that was not asked for lately goes. */
export function createRemembered(limit: number): Remembered {
  const half = Math.ceil(limit / 2)
  let recent = new Map<string, CheckedToken>()
  let older = new Map<string, CheckedToken>()
  const set = (token: string, checked: CheckedToken) => {
    if (limit === 0) return
    if (recent.size >= half) {
      older = recent
      recent = new Map()
    }
    recent.set(token, checked)
  }
  return {
    set,
    get(token) {
      const found = recent.get(token)
      if (found) return found
      const kept = older.get(token)
      if (kept) {
        older.delete(token)
        set(token, kept)
      }
      return kept
    },
    forget(token) {
      recent.delete(token)
      older.delete(token)
    },
    size: () => recent.size + older.size,
  }
}
