/** How far a long command has come, on stderr: a bar at a terminal, a line every tenth elsewhere, nothing with `--json`. */
import { Presets, SingleBar } from 'cli-progress'

export interface Progress {
  /** @param doneBytes from the beginning of the file */
  at(doneBytes: number, counts: { readonly lines: number; readonly refused: number }): void
  end(): void
}

export function createProgress({ bytes, isSilent }: { bytes: number; isSilent: boolean }): Progress {
  if (isSilent) return { at: () => undefined, end: () => undefined }
  return process.stderr.isTTY ? bar(bytes) : linesOf(bytes)
}

function bar(bytes: number): Progress {
  const format = '{bar} {percentage}% | {lines} lines, {refused} refused | {eta_formatted} left'
  // Signals are the command's own.
  const shown = new SingleBar({ stream: process.stderr, format, gracefulExit: false }, Presets.shades_classic)
  shown.start(bytes, 0, { lines: 0, refused: 0 })
  return { at: (doneBytes, counts) => shown.update(doneBytes, counts), end: () => shown.stop() }
}

function linesOf(bytes: number): Progress {
  let tenths = 0
  return {
    at(doneBytes, { lines, refused }) {
      const reached = Math.floor((10 * doneBytes) / bytes)
      if (reached === tenths) return
      tenths = reached
      process.stderr.write(`${10 * tenths}%: ${lines} lines, ${refused} refused.\n`)
    },
    end: () => undefined,
  }
}
