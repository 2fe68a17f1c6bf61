/** `npm run accounts -- import`: accounts of another system, with their password hashes. */
import { createHash } from 'node:crypto'
import { sealHash, type HashSeal } from '../../src/accounts/sealed-hash.ts'
import type { Config } from '../../src/config.ts'
import { StoreUnavailable } from '../../src/failure.ts'
import { mintUserId } from '../../src/store/keys.ts'
import type { Account } from '../../src/store/store.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { systemClock, systemRandom, type Random } from '../../src/system.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'
import { base64url } from 'jose'
import { exitCodes, Refusal } from '../answer.ts'
import { describeOutage, operator } from '../operator.ts'
import type { Target } from '../target.ts'
import { readCandidate, type Candidate, type RefusedLine } from './candidate.ts'
import { identify, readCheckpoint, removeCheckpoint, writeCheckpoint, type Checkpoint } from './checkpoint.ts'
import { readLines, type FileLine } from './lines.ts'
import { createProgress } from './progress.ts'
import { openReport } from './report.ts'

/** Lines of one request to the store: as many commands take about 20 ms, and are a few hundred kilobytes. */
const BATCH_LINES = 200
/** Bytes of the file in one request: with the script beside each account it stays far below Upstash's 10 MB. */
const BATCH_BYTES = 1024 * 1024
/** An import waits where a request would not. */
const PATIENCE_MS = 10_000

export interface ImportOptions {
  readonly file: string
  /** Where refused lines are reported. */
  readonly refusals: string
  /** Whether to say nothing meanwhile. */
  readonly isSilent: boolean
}

export interface ImportSummary {
  readonly imported: number
  readonly refused: number
  /** The file that names them. */
  readonly refusals?: string | undefined
}

interface Batch {
  readonly candidates: readonly { readonly line: number; readonly candidate: Candidate }[]
  readonly refused: readonly RefusedLine[]
  readonly offset: number
  readonly lines: number
}

/**
 * Goes on where an earlier one stopped. A checkpoint is written after each batch; Ctrl-C ends after the batch under way.
 *
 * @throws {Refusal}
 */
export async function importAccounts(
  { config, target }: { readonly config: Config; readonly target: Target },
  { file, refusals, isSilent }: ImportOptions,
): Promise<ImportSummary> {
  const place = `${file}.progress`
  const identity = { file: await identify(file), store: target.store }
  let checkpoint = (await readCheckpoint(place, identity)) ?? firstCheckpoint(identity)
  if (checkpoint.lines > 0 && !isSilent) process.stderr.write(`Going on behind line ${checkpoint.lines}.\n`)
  // Before the first account: those that a killed import made are known by it.
  await writeCheckpoint(place, checkpoint)
  const send = await createSender(config, checkpoint)
  const report = await openReport(refusals, checkpoint.report_bytes)
  const progress = createProgress({ bytes: identity.file.bytes, isSilent })
  const interruption = watchForInterruption()
  try {
    for await (const batch of readBatches(file, checkpoint)) {
      const refused = [...batch.refused, ...(await send(batch))].toSorted((a, b) => a.line - b.line)
      checkpoint = advance(checkpoint, batch, { refused: refused.length, reportBytes: await report.add(refused) })
      await writeCheckpoint(place, checkpoint)
      progress.at(checkpoint.offset, checkpoint)
      if (interruption.requested() && checkpoint.offset < identity.file.bytes)
        throw new Refusal(`Stopped. ${howToGoOn(checkpoint)}`)
    }
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    throw new Refusal(`${describeOutage(target, error)} ${howToGoOn(checkpoint)}`, exitCodes.unavailable)
  } finally {
    progress.end()
    interruption.close()
    await report.close()
  }
  await removeCheckpoint(place)
  const { imported, refused } = checkpoint
  return { imported, refused, refusals: refused > 0 ? refusals : undefined }
}

/** Reads the whole file and asks nothing of any store: `onRefused` hears of each line that would be refused. */
export async function checkImport(
  file: string,
  onRefused: (refused: RefusedLine) => Promise<void>,
): Promise<ImportSummary> {
  await identify(file)
  const seen = new Set<string>()
  let [imported, refused] = [0, 0]
  for await (const batch of readBatches(file, { offset: 0, lines: 0 })) {
    const doubled = batch.candidates.filter(({ candidate: { username } }) => seen.size === seen.add(username).size)
    const twice = doubled.map(({ line, candidate: { username } }) => ({
      line,
      username,
      reason: 'The username stands in this file before.',
    }))
    for (const each of [...batch.refused, ...twice].toSorted((a, b) => a.line - b.line)) await onRefused(each)
    imported += batch.candidates.length - twice.length
    refused += batch.refused.length + twice.length
  }
  return { imported, refused }
}

function firstCheckpoint(identity: Pick<Checkpoint, 'file' | 'store'>): Checkpoint {
  const seed = base64url.encode(systemRandom.bytes(16))
  const nothing = { offset: 0, lines: 0, imported: 0, refused: 0, report_bytes: 0 }
  return { ...identity, seed, began_at_ms: systemClock.nowMs(), ...nothing }
}

function advance(
  before: Checkpoint,
  { candidates, refused: unsent, offset, lines }: Batch,
  { refused, reportBytes }: { readonly refused: number; readonly reportBytes: number },
): Checkpoint {
  return {
    ...before,
    offset,
    lines,
    imported: before.imported + candidates.length + unsent.length - refused,
    refused: before.refused + refused,
    report_bytes: reportBytes,
  }
}

function howToGoOn({ lines, imported, refused }: Checkpoint): string {
  return `${lines} lines are done (${imported} imported, ${refused} refused): the same command goes on from there.`
}

/** The same lines make the same batches, wherever reading begins. */
async function* readBatches(file: string, from: Pick<Checkpoint, 'offset' | 'lines'>): AsyncGenerator<Batch> {
  let begin = from
  let lines: FileLine[] = []
  for await (const line of readLines(file, from)) {
    lines.push(line)
    if (lines.length < BATCH_LINES && line.endsAt - begin.offset < BATCH_BYTES) continue
    begin = { offset: line.endsAt, lines: line.number }
    yield batchOf(lines, begin)
    lines = []
  }
  const last = lines.at(-1)
  if (last) yield batchOf(lines, { offset: last.endsAt, lines: last.number })
}

function batchOf(lines: readonly FileLine[], end: Pick<Batch, 'offset' | 'lines'>): Batch {
  const candidates: Batch['candidates'][number][] = []
  const refused: RefusedLine[] = []
  for (const line of lines) {
    const read = readCandidate(line)
    if (read && 'reason' in read) refused.push(read)
    else if (read) candidates.push({ line: line.number, candidate: read })
  }
  return { candidates, refused, ...end }
}

/** Sends batches to the store; each answers with the lines that the store refused. */
async function createSender(config: Config, checkpoint: Checkpoint) {
  const timeoutMs = Math.max(config.store.timeoutMs, PATIENCE_MS)
  const store = createUpstashStore({ ...config, store: { ...config.store, timeoutMs } })
  const { hashSeal } = await deriveKeys(config.secret)
  return async ({ candidates }: Batch): Promise<RefusedLine[]> => {
    const making = { ...checkpoint, hashSeal, buckets: config.store.buckets }
    const accounts = candidates.map(({ line, candidate }) => accountOf(candidate, { line, ...making }))
    const outcomes = await store.createAccounts({ accounts: await Promise.all(accounts), actor: operator })
    return candidates.flatMap(({ line, candidate: { username } }, i) => {
      const reason = whyRefused(outcomes[i])
      return reason === undefined ? [] : [{ line, username, reason }]
    })
  }
}

function whyRefused(outcome: 'created' | 'taken' | 'present' | undefined): string | undefined {
  if (outcome === 'created') return undefined
  if (outcome === 'taken') return 'The username is taken.'
  return 'The username is taken, by an account with this very hash: imported before, or twice in this file.'
}

async function accountOf(
  { username, foreignHash, roles, status, createdAtMs }: Candidate,
  making: Pick<Checkpoint, 'seed' | 'began_at_ms'> & { line: number; hashSeal: HashSeal; buckets: number },
): Promise<Account> {
  return {
    userId: await mintUserId(seededRandom(`${making.seed}:${making.line}`), username, making.buckets),
    username,
    hash: await sealHash(foreignHash, making.hashSeal),
    status,
    roles,
    createdAtMs: createdAtMs ?? making.began_at_ms,
  }
}

/** The same bytes for the same seed, at most 32 at a time. */
function seededRandom(seed: string): Random {
  let calls = 0
  const digest = () => createHash('sha256').update(`${seed}:${calls++}`).digest()
  return { bytes: (length) => new Uint8Array(digest().subarray(0, length)) }
}

/** npm passes Ctrl-C on, so it may come twice: neither ends the process. */
function watchForInterruption() {
  let requested = false
  const note = () => (requested = true)
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, note)
  return {
    requested: () => requested,
    close() {
      for (const signal of signals) process.off(signal, note)
    },
  }
}
