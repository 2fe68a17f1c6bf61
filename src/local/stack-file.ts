/** How other programs on this machine find a running local stack: one file a port, readable by its owner only. */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const runningStack = z.object({
  port: z.number(),
  /** The process whose end is the stack's end. */
  pid: z.number(),
  /** The Worker's whole environment, secrets included. */
  env: z.record(z.string(), z.string()),
})
export type RunningStack = z.infer<typeof runningStack>

/** Writes the file in one step. @returns what removes it again */
export async function writeStackFile(folder: string, stack: RunningStack): Promise<() => Promise<void>> {
  const file = join(folder, `stack-${stack.port}.json`)
  const draft = `${file}.${randomUUID()}`
  await mkdir(folder, { recursive: true })
  await writeFile(draft, JSON.stringify(stack), { mode: 0o600 })
  await rename(draft, file)
  return () => rm(file, { force: true })
}

/** The stacks that are running, in the order of their ports. A file that a crash left behind does not count. */
export async function readStackFiles(folder: string): Promise<RunningStack[]> {
  const names = await readdir(folder).catch(() => [])
  const stacks: RunningStack[] = []
  for (const name of names.filter((each) => /^stack-\d+\.json$/.test(each))) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    // A stack that ends just now takes its file away.
    if (text === undefined) continue
    const stack = runningStack.parse(JSON.parse(text))
    if (isRunning(stack.pid)) stacks.push(stack)
  }
  return stacks.toSorted((a, b) => a.port - b.port)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // Somebody else's process is running, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
