/** Latchkey as another commit of this repository has it, so that a change can be measured against what was before it. */
import { execFile } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { projectRoot } from '../../src/local/project.ts'
import { buildWorker, type WorkerBundle } from '../../src/local/worker-bundle.ts'

const run = promisify(execFile)

export interface Revision {
  /** As short as git has it. */
  readonly commit: string
  readonly date: string
  readonly subject: string
}

/** There is no such commit here, or no repository. */
export class RevisionError extends Error {
  override name = 'RevisionError'
}

async function git(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('git', [...args], { cwd: projectRoot })
  return stdout.trim()
}

/** @throws {RevisionError} */
export async function findRevision(name: string): Promise<Revision> {
  const format = '--format=%h%n%cs%n%s'
  const found = await git('log', '-1', format, '--end-of-options', `${name}^{commit}`, '--').catch(() => '')
  const [commit, date, subject] = found.split('\n')
  if (!commit || !date || subject === undefined) throw new RevisionError(`There is no commit ${name} here.`)
  return { commit, date, subject }
}

/** Builds the Worker of a revision into `folder`, with the packages that this one has installed. */
export async function buildRevision({ commit }: Revision, folder: string): Promise<WorkerBundle> {
  const tree = join(folder, 'tree')
  await git('worktree', 'add', '--detach', tree, commit)
  try {
    await symlink(join(projectRoot, 'node_modules'), join(tree, 'node_modules'))
    return await buildWorker(join(folder, 'bundle'), [], tree)
  } finally {
    await git('worktree', 'remove', '--force', tree)
  }
}
