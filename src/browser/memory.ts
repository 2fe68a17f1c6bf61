import type { Surroundings } from './surroundings.ts'

/** What is remembered over a reload, for all tabs: nothing that would let anybody in. */
export interface Memory {
  /** The session that there probably is, so that visitors without one cause no request. */
  readonly sessionId: () => string | undefined
  /** A token was had: until when it is good, in this machine's time. */
  readonly note: (sessionId: string, leftMs: number) => void
  /** Another tab has handed its token over: what stands there now is of that one. */
  readonly noteShared: () => void
  /** Some other page had a token more recently than this one, and it is probably still good. */
  readonly mayBeHadFromOthers: () => boolean
  /** The key of the refresh under way, or a new one: the same until its answer has arrived, whatever happens meanwhile. */
  readonly attempt: () => string
  /** Its answer has arrived. */
  readonly attemptIsOver: (key: string) => void
  readonly forget: () => void
}

export function createMemory({ shared, wallMs, newId }: Surroundings, name: string): Memory {
  const attemptName = `${name} attempt`
  let seen: string | undefined
  return {
    sessionId: () => shared.get(name)?.split(' ')[0],
    note(sessionId, leftMs) {
      seen = `${sessionId} ${Math.round(wallMs() + leftMs)}`
      shared.set(name, seen)
      // Now, while there is room: a full storage still lets a value be replaced.
      if (!shared.get(attemptName)) shared.set(attemptName, newId())
    },
    noteShared: () => void (seen = shared.get(name)),
    mayBeHadFromOthers() {
      const noted = shared.get(name)
      return noted !== seen && Number(noted?.split(' ')[1]) > wallMs()
    },
    attempt() {
      const key = shared.get(attemptName) ?? newId()
      shared.set(attemptName, key)
      return key
    },
    attemptIsOver(key) {
      if (shared.get(attemptName) === key) shared.set(attemptName, newId())
    },
    forget() {
      shared.set(name, undefined)
      shared.set(attemptName, undefined)
    },
  }
}
