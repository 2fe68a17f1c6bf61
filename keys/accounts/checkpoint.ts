/** How far an import has come, in a file beside the one that is imported: `FILE.progress`. */
import { createHash } from 'node:crypto'
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { jsonText } from '../../src/json-text.ts'
import { Refusal } from '../answer.ts'

/** A change of a file that keeps its size and this much of its beginning goes unnoticed. */
const BEGINNING_BYTES = 64 * 1024

const shape = z.object({
  /** Which file this is about. */
  file: z.object({ bytes: z.number(), beginning: z.string() }),
  /** The host of the store that it goes to: half of it must not end up in another one. */
  store: z.string(),
  /**
   * From which the ids of the accounts follow, line by line, and when the import began. So a batch that is sent again, since
   * nobody noted its answer, makes the very same accounts, and the store knows them again.
   */
  seed: z.string(),
  began_at_ms: z.number(),
  /** The byte behind the last line that is done, and what became of those lines. */
  offset: z.number(),
  lines: z.number(),
  imported: z.number(),
  refused: z.number(),
  /** How long the report of refusals was. */
  report_bytes: z.number(),
})

export type Checkpoint = z.infer<typeof shape>

export async function identify(file: string): Promise<Checkpoint['file']> {
  const handle = await open(file).catch((error: unknown) => Promise.reject(unreadable(file, error)))
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw new Refusal(`${file} is not a file.`)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(BEGINNING_BYTES), 0, BEGINNING_BYTES, 0)
    const beginning = createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('base64url')
    return { bytes: stats.size, beginning }
  } finally {
    await handle.close()
  }
}

/** Undefined if there is none. @throws {Refusal} if it is not about this import */
export async function readCheckpoint(
  place: string,
  { file, store }: Pick<Checkpoint, 'file' | 'store'>,
): Promise<Checkpoint | undefined> {
  const text = await readFile(place, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw unreadable(place, error)
  })
  if (text === undefined) return undefined
  const beginAnew = `Delete ${place} to begin anew.`
  const { data: found } = jsonText.pipe(shape).safeParse(text)
  if (!found) throw new Refusal(`${place} is not the progress of an import. ${beginAnew}`)
  if (found.file.bytes !== file.bytes || found.file.beginning !== file.beginning)
    throw new Refusal(`The file has changed since ${found.lines} lines of it were imported. ${beginAnew}`)
  if (found.store !== store)
    throw new Refusal(`${found.lines} lines of the file went to another store, ${found.store}. ${beginAnew}`)
  return found
}

/** Whole or not at all. */
export async function writeCheckpoint(place: string, checkpoint: Checkpoint): Promise<void> {
  const draft = `${place}.new`
  await writeFile(draft, `${JSON.stringify(checkpoint)}\n`, { flush: true }).catch((error: unknown) =>
    Promise.reject(new Refusal(`${place} cannot be written (${codeOf(error)}): without it nothing is imported.`)),
  )
  await rename(draft, place)
}

export async function removeCheckpoint(place: string): Promise<void> {
  await rm(place, { force: true })
}

function unreadable(file: string, error: unknown): Refusal {
  const code = codeOf(error)
  return new Refusal(code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${code}).`)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
