/** Which lines were refused, and why: NDJSON of line, username and reason. */
import { open, rm } from 'node:fs/promises'
import { Refusal } from '../answer.ts'
import type { RefusedLine } from './candidate.ts'

export interface Report {
  /** @returns how long the report is now, in bytes */
  add(refused: readonly RefusedLine[]): Promise<number>
  close(): Promise<void>
}

/** Goes on behind the first `bytes` of the file: what a killed import had written after them comes again. */
export async function openReport(file: string, bytes: number): Promise<Report> {
  // None while nothing was refused.
  if (bytes === 0) await rm(file, { force: true })
  let length = bytes
  let handle = bytes === 0 ? undefined : await openFile(file)
  await handle?.truncate(bytes)
  return {
    async add(refused) {
      if (refused.length === 0) return length
      handle ??= await openFile(file)
      const text = Buffer.from(refused.map((one) => `${JSON.stringify(one)}\n`).join(''))
      await handle.write(text, 0, text.length, length)
      await handle.sync()
      length += text.length
      return length
    },
    close: async () => handle?.close(),
  }
}

function openFile(file: string) {
  // Not for appending: it is written at the place that the checkpoint names.
  return open(file, 'r+')
    .catch(() => open(file, 'w'))
    .catch((error: unknown) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      throw new Refusal(`${file} cannot be written (${code}): name another with --refusals.`)
    })
}
