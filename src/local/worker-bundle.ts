/** The Worker's bundle as wrangler would deploy it, written to a folder. */
import { execFile } from 'node:child_process'
import { readdir, rm } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { projectRoot } from './project.ts'

const run = promisify(execFile)

const wranglerFile = join(projectRoot, 'node_modules', 'wrangler', 'bin', 'wrangler.js')

export interface WorkerBundle {
  readonly folder: string
  /** File names in `folder`: the entry first, then the modules that it imports. */
  readonly modules: readonly string[]
}

/** wrangler refused to build; the message is its own. */
export class BuildError extends Error {
  override name = 'BuildError'
}

/**
 * Builds a Worker into `folder`, which is emptied first: with these more arguments to `wrangler deploy`, such as another entry than
 * that of `wrangler.toml`. `root` is the folder of the project, if not of this one.
 *
 * @throws {BuildError}
 */
export async function buildWorker(
  folder: string,
  more: readonly string[] = [],
  root: string = projectRoot,
): Promise<WorkerBundle> {
  await rm(folder, { recursive: true, force: true })
  const args = [wranglerFile, 'deploy', ...more, '--dry-run', '--outdir', folder]
  // wrangler keeps its settings and logs below the home folder, which may be missing or not ours to write.
  // The build step of wrangler.toml runs this Node, too.
  const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter)
  const env = { ...process.env, PATH, XDG_CONFIG_HOME: join(folder, 'config'), WRANGLER_SEND_METRICS: 'false' }
  await run(process.execPath, args, { cwd: root, env }).catch((error: unknown) => {
    throw new BuildError(messageOf(error))
  })
  const names = await readdir(folder)
  const entryName = names.find((name) => name.endsWith('.js'))
  if (entryName === undefined) throw new BuildError('wrangler wrote no Worker')
  return { folder, modules: [entryName, ...names.filter((name) => /\.(lua|txt|wasm)$/.test(name))] }
}

function messageOf(error: unknown): string {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  return output.trim() || String(error)
}
