/** Sessions of which only the tokens from before some time are refused, because their roles have changed; and everyone's. */

/** In the place of a `sid`: every session there was. No session has this name. */
export const EVERYONE = '*'

export interface Outdated {
  /** Tokens of the session issued before `beforeSeconds` are outdated; the entry may be forgotten after `expSeconds`. */
  add(sid: string, beforeSeconds: number, expSeconds: number): void
  has(sid: string, iat: number): boolean
  prune(issuerSeconds: number): void
  size(): number
}

/** Such changes are few: they need no table of fingerprints. What is said again of the same session takes no more room. */
export function createOutdated(): Outdated {
  const sessions = new Map<string, { readonly beforeSeconds: number; readonly expSeconds: number }>()
  return {
    add(sid, beforeSeconds, expSeconds) {
      const known = sessions.get(sid)
      sessions.set(sid, {
        beforeSeconds: Math.max(beforeSeconds, known?.beforeSeconds ?? 0),
        expSeconds: Math.max(expSeconds, known?.expSeconds ?? 0),
      })
    },
    has: (sid, iat) => iat < (sessions.get(sid)?.beforeSeconds ?? 0),
    prune(issuerSeconds) {
      for (const [sid, { expSeconds }] of sessions) if (expSeconds < issuerSeconds) sessions.delete(sid)
    },
    size: () => sessions.size,
  }
}
