/** Installs what only the benchmark needs, from the npm registry, into the project's cache folder. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { localFolder } from '../../src/local/project.ts'

const run = promisify(execFile)

const source = fileURLToPath(new URL('./peers', import.meta.url))
/** Programs are run from here, where their packages are: this is why they are copied. */
export const peersFolder = join(localFolder, 'bench-peers')

/** The registry did not give what the lock file names. */
export class InstallError extends Error {
  override name = 'InstallError'
}

/** Does nothing if the same was installed before. @throws {InstallError} */
export async function installPeers(say: (line: string) => void, signal: AbortSignal): Promise<void> {
  await mkdir(peersFolder, { recursive: true })
  await cp(source, peersFolder, { recursive: true })
  const lock = await readFile(join(source, 'package-lock.json'))
  const wanted = createHash('sha256').update(lock).digest('hex')
  const mark = join(peersFolder, 'node_modules', 'installed')
  if ((await readFile(mark, 'utf8').catch(() => '')) === wanted) return
  say('Installing the alternatives from the npm registry…')
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  try {
    await run('npm', args, { cwd: peersFolder, signal })
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : String(cause)
    const why = said.split('\n').find((line) => line.startsWith('npm error') && line.includes('request')) ?? said.trim()
    throw new InstallError(
      `The alternatives could not be installed:\n${why}\nWithout them: npm run bench -- --only limits,latchkey`,
      { cause },
    )
  }
  await writeFile(mark, wanted)
}
