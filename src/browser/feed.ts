import type { SessionEvent } from './api.ts'

export interface Feed {
  readonly emit: (event: SessionEvent) => void
  readonly subscribe: (listener: (event: SessionEvent) => void) => () => void
}

export function createFeed(): Feed {
  const listeners = new Set<(event: SessionEvent) => void>()
  return {
    emit(event) {
      for (const listener of new Set(listeners))
        try {
          listener(event)
        } catch (error) {
          // The page's mistake is the page's to hear of; the session goes on.
          queueMicrotask(() => {
            throw error
          })
        }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
