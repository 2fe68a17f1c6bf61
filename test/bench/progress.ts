/** What goes on, on one line that changes; without a terminal a line for each stage of it. */
export interface Progress {
  /** Replaces what was shown before. */
  readonly show: (what: string) => void
  /** Stays. */
  readonly say: (text: string) => void
}

export function createProgress(screen: NodeJS.WriteStream, startedAtMs = performance.now()): Progress {
  let last = ''
  const clock = () => {
    const seconds = Math.round((performance.now() - startedAtMs) / 1000)
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
  }
  const clear = () => void (screen.isTTY && screen.write('\r\u001b[K'))
  return {
    show(what) {
      if (screen.isTTY) {
        clear()
        screen.write(`${clock()}  ${what}`.slice(0, screen.columns - 1))
        return
      }
      // As in `round 3 of 9`.
      const [stage = what] = what.split(':')
      if (stage !== last) screen.write(`${clock()}  ${stage}\n`)
      last = stage
    },
    say(text) {
      clear()
      screen.write(`${text}\n`)
    },
  }
}
