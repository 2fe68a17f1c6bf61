/** Sessions that go on with other roles: their tokens from before the change are refused. */

export interface Outdated {
  /** Tokens of the session issued before `beforeSeconds` are outdated; the entry may be forgotten after `expSeconds`. */
  add(sid: string, beforeSeconds: number, expSeconds: number): void
  has(sid: string, iat: number): boolean
  prune(issuerSeconds: number): void
  size(): number
}

/** Changes of roles are few: they need no table of fingerprints. */
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
