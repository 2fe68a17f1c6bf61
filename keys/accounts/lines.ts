/** Reads a file of any size line by line, by bytes, so that reading can go on later where it stopped. */
import { createReadStream } from 'node:fs'

/** Nobody's account is longer: a file without line breaks must not fill the memory. */
const LINE_LIMIT_BYTES = 64 * 1024
const LINE_BREAK = 0x0a

export interface FileLine {
  /** Counted from 1. */
  readonly number: number
  /** Without its line break; undefined if it is longer than 64 KiB. */
  readonly bytes: Buffer | undefined
  /** The byte of the file behind it. */
  readonly endsAt: number
}

/** @param from the byte to begin at, and how many lines are before it */
export async function* readLines(
  file: string,
  from: { readonly offset: number; readonly lines: number },
): AsyncGenerator<FileLine> {
  let { offset, lines: number } = from
  let pending: Buffer[] = []
  let pendingBytes = 0
  const line = (breakBytes: number): FileLine => {
    const bytes = pendingBytes <= LINE_LIMIT_BYTES ? Buffer.concat(pending) : undefined
    offset += pendingBytes + breakBytes
    pending = []
    pendingBytes = 0
    return { number: ++number, bytes, endsAt: offset }
  }
  const keep = (part: Buffer) => {
    pendingBytes += part.length
    if (pendingBytes <= LINE_LIMIT_BYTES) pending.push(part)
    else pending = []
  }
  for await (const chunk of createReadStream(file, { start: offset })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError('a file is read as bytes')
    let begin = 0
    for (let end = chunk.indexOf(LINE_BREAK); end !== -1; end = chunk.indexOf(LINE_BREAK, begin)) {
      keep(chunk.subarray(begin, end))
      yield line(1)
      begin = end + 1
    }
    keep(chunk.subarray(begin))
  }
  if (pendingBytes > 0) yield line(0)
}
