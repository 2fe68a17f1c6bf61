/** What the Worker weighs: its bundle, its start, its memory; beside those of a Worker that does nothing. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { WorkerBundle } from '../../src/local/worker-bundle.ts'
import { startWorkerd } from '../../src/local/workerd-process.ts'
import { clientId, password } from './operator.ts'
import type { Stage } from './stage.ts'
import { openWeb } from './web.ts'

const run = promisify(execFile)

export interface WorkerCost {
  readonly bundleBytes: number
  readonly gzipBytes: number
  /** From the start of the process to its first answer, by round. */
  readonly startMs: readonly number[]
  readonly bareStartMs: readonly number[]
  /** Of the whole workerd process, which holds one isolate: after its first answer. */
  readonly bareBytes: number
  readonly idleBytes: number
  /** After thousands of checks, and after a password was hashed. */
  readonly busyBytes: number
  readonly hashedBytes: number
}

export interface WorkerCostOptions {
  readonly stage: Stage
  readonly rounds: number
  readonly onProgress: (what: string) => void
  readonly signal: AbortSignal
}

const checks = 5000

export async function measureWorker(options: WorkerCostOptions): Promise<WorkerCost> {
  const { stage, rounds, onProgress, signal } = options
  const [bundle, bare] = await Promise.all([stage.bundle('latchkey'), stage.bundle('bare')])
  const { env } = await stage.latchkey()
  const startMs: number[] = []
  const bareStartMs: number[] = []
  for (let round = 1; round <= rounds; round++) {
    signal.throwIfAborted()
    onProgress(`start of a Worker: ${round} of ${rounds}`)
    startMs.push((await start(bundle, env)).ms)
    bareStartMs.push((await start(bare, {})).ms)
  }
  onProgress('memory of a Worker:')
  return {
    ...(await sizesOf(bundle)),
    startMs,
    bareStartMs,
    bareBytes: (await start(bare, {})).bytes,
    ...(await memoryOf(stage, bundle)),
  }
}

async function sizesOf({ folder, modules }: WorkerBundle) {
  const files = await Promise.all(modules.map((name) => readFile(join(folder, name))))
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)
  return {
    bundleBytes: sum(files.map((file) => file.length)),
    gzipBytes: sum(files.map((file) => gzipSync(file).length)),
  }
}

async function start(bundle: WorkerBundle, env: Readonly<Record<string, string>>) {
  const beginMs = performance.now()
  const worker = await startWorkerd({ bundle, env, onLine: () => undefined })
  try {
    const answer = await fetch(`${worker.url}/healthz`)
    await answer.arrayBuffer()
    return { ms: performance.now() - beginMs, bytes: await residentBytes(worker.pid) }
  } finally {
    await worker.stop()
  }
}

async function memoryOf(stage: Stage, bundle: WorkerBundle) {
  const { env, operator } = await stage.latchkey()
  const [account] = await operator.createAccounts(1)
  if (!account) throw new Error('There is no account.')
  const { accessToken } = await operator.signIn(account)
  const worker = await startWorkerd({ bundle, env, onLine: () => undefined })
  const web = openWeb(worker.url)
  try {
    await web.call({ path: '/healthz' })
    const idleBytes = await residentBytes(worker.pid)
    const call = { path: '/v1/verify', headers: { authorization: `Bearer ${accessToken}` }, status: 204 }
    for (let done = 0; done < checks; done++) await web.call(call)
    const busyBytes = await residentBytes(worker.pid)
    await web.postJson({ path: '/v1/login' }, { username: account.username, password, client_id: clientId })
    return { idleBytes, busyBytes, hashedBytes: await residentBytes(worker.pid) }
  } finally {
    await web.close()
    await worker.stop()
  }
}

async function residentBytes(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout.trim()) * 1024
}
