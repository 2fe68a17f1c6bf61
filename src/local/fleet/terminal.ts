/** A terminal taken over for a while: a screen of its own, and a line of keys. Given back as it was. */
import { emitKeypressEvents } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'
import { z } from 'zod'

export interface Terminal {
  readonly rows: () => number
  /** Replaces what is on the screen. */
  readonly show: (lines: readonly string[]) => void
  /** Gives the terminal back. Does nothing the second time. */
  readonly restore: () => void
}

export interface TakeTerminalOptions {
  readonly input: ReadStream
  readonly output: WriteStream
  /** Gets the name of each key; Ctrl-C is `ctrl-c`. */
  readonly onKey: (name: string) => void
  /** Told when the terminal has another size. */
  readonly onResize: () => void
}

const alternateScreen = { on: '\u001b[?1049h', off: '\u001b[?1049l' }
const cursor = { hide: '\u001b[?25l', show: '\u001b[?25h' }
/** Lines that are too long are cut off. */
const wrapping = { on: '\u001b[?7h', off: '\u001b[?7l' }
const home = '\u001b[H'
const clearToEndOfLine = '\u001b[K'
const clearBelow = '\u001b[J'

const keypress = z.object({ name: z.string().optional(), sequence: z.string().optional(), ctrl: z.boolean() })

export function takeTerminal({ input, output, onKey, onResize }: TakeTerminalOptions): Terminal {
  let isOurs = true
  const listen = (_text: unknown, key: unknown) => {
    const { name, sequence = '', ctrl } = keypress.parse(key)
    onKey(`${ctrl ? 'ctrl-' : ''}${name ?? sequence}`)
  }
  const restore = () => {
    if (!isOurs) return
    isOurs = false
    input.removeListener('keypress', listen)
    output.removeListener('resize', onResize)
    input.setRawMode(false)
    input.pause()
    output.write(wrapping.on + cursor.show + alternateScreen.off)
  }
  // Also when an error ends the process.
  process.once('exit', restore)
  emitKeypressEvents(input)
  input.setRawMode(true)
  input.resume()
  input.on('keypress', listen)
  output.on('resize', onResize)
  output.write(alternateScreen.on + cursor.hide + wrapping.off)
  return {
    // Some terminals do not know their size.
    rows: () => output.rows || 24,
    show(lines) {
      if (isOurs) output.write(home + lines.map((line) => line + clearToEndOfLine).join('\r\n') + clearBelow)
    },
    restore,
  }
}
