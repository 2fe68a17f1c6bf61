import { parseMessage, type Message } from './messages.ts'
import type { Surroundings } from './surroundings.ts'

/** The other tabs of the origin. */
export interface Tabs {
  readonly tell: (message: Message) => void
  /** Asks them for a token, and waits until one has said something, but not for longer. */
  readonly ask: (patienceMs: number) => Promise<void>
  readonly close: () => void
}

/** `hear` gets what they say. */
export function createTabs(around: Surroundings, name: string, hear: (message: Message) => void): Tabs {
  let heard = () => {}
  let isOpen = true
  const { post, close } = around.openChannel(name, (data) => {
    const message = parseMessage(data)
    if (!message) return
    hear(message)
    if (message.type !== 'ask') heard()
  })
  // A closed channel throws.
  const tell = (message: Message) => isOpen && post(message)
  return {
    tell,
    ask: (patienceMs) =>
      new Promise((done) => {
        heard = done
        around.after(patienceMs, done)
        tell({ type: 'ask' })
      }),
    close() {
      isOpen = false
      close()
    },
  }
}
