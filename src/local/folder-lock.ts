/** One process per data folder: a lock file that a crash does not leave closed. */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface FolderLock {
  /** Lets the lock stand for another process, so that it holds for as long as that one lives. */
  handTo: (pid: number) => Promise<void>
  release: () => Promise<void>
}

/** A living process holds the folder. */
export class FolderInUseError extends Error {
  override name = 'FolderInUseError'

  constructor(folder: string, pid: number) {
    super(`The folder ${folder} is in use by another Redis (process ${pid}): stop that one first.`)
  }
}

/**
 * Locks a folder for this process. A lock whose process is gone, or whose number another process has since got, is
 * taken over.
 *
 * @throws {FolderInUseError}
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const path = join(folder, 'redis.lock')
  let content = await describe(process.pid)
  while (!(await create(path, content))) {
    const holder = await readFile(path, 'utf8').catch(() => '')
    const pid = Number.parseInt(holder, 10)
    const alive = (await startOf(pid)) !== ''
    if (alive && (await describe(pid)) === holder) throw new FolderInUseError(folder, pid)
    await takeAway(path, holder)
  }
  return {
    async handTo(pid) {
      content = await describe(pid)
      const draft = `${path}.${randomUUID()}`
      await writeFile(draft, content)
      await rename(draft, path)
    },
    release: () => takeAway(path, content),
  }
}

/** Creates the lock with its content in one step, so that nobody reads half of it. */
async function create(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, content)
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** Removes the lock if it says what is expected; one that somebody else made meanwhile is put back. */
async function takeAway(path: string, expected: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
  } catch {
    return
  }
  if ((await readFile(aside, 'utf8')) !== expected) await link(aside, path).catch(() => undefined)
  await rm(aside, { force: true })
}

/** A process's number with the time it started, since numbers are given again. */
async function describe(pid: number): Promise<string> {
  return `${pid} ${await startOf(pid)}`
}

/** When a process started, in whatever unit the system has; empty when it is gone. */
async function startOf(pid: number): Promise<string> {
  if (!Number.isInteger(pid)) return ''
  if (process.platform !== 'linux') {
    const answer = await run('ps', ['-o', 'lstart=', '-p', String(pid)]).catch(() => undefined)
    return answer?.stdout.trim() ?? ''
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The second field is the program's name, in brackets, and may hold anything: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  const startTime = fields[19]
  return state === undefined || state === 'Z' || startTime === undefined ? '' : startTime
}
