/** Finds a redis-server for the local stack and the tests, or fetches one where that needs no root. */
import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { unpackRedisPackages } from './debian-packages.ts'

const run = promisify(execFile)

/** A redis-server that answers `--version`, with the environment it must be started in. */
export interface RedisBinary {
  path: string
  env: Record<string, string>
}

/** No redis-server is here and none can be fetched; the message tells the reader what to install. */
export class MissingRedisError extends Error {
  override name = 'MissingRedisError'

  constructor(options?: ErrorOptions) {
    super(
      'redis-server was not found on this machine and could not be fetched. Install it with ' +
        '`sudo apt-get install redis-server` (Debian, Ubuntu), `brew install redis` (macOS) or ' +
        '`sudo dnf install redis` (Fedora), or set REDIS_URL to a Redis that is already running.',
      options,
    )
  }
}

/**
 * Looks on PATH for redis-server or valkey-server, then in `cacheFolder`, and on Debian and Ubuntu then fetches the
 * packages into `cacheFolder`. Several processes may do so at once: the folder appears complete or not at all.
 *
 * @param onProgress gets a line when there is something to wait for
 * @throws {MissingRedisError}
 */
export async function findRedisServer({
  cacheFolder,
  onProgress = () => undefined,
}: {
  cacheFolder: string
  onProgress?: (line: string) => void
}): Promise<RedisBinary> {
  const present = (await findOnPath('redis-server', 'valkey-server')) ?? (await findInCache(cacheFolder))
  if (present !== undefined) return present

  const canFetch = (await Promise.all(['apt-get', 'dpkg', 'dpkg-deb'].map(isOnPath))).every(Boolean)
  if (!canFetch) throw new MissingRedisError()
  onProgress('redis-server not found: fetching the Debian packages (a few MB, no root needed)…')
  const fetched = await fetchInto(cacheFolder).catch((cause: unknown) => {
    onProgress(`The packages could not be fetched: ${lastLine(cause)}`)
    throw new MissingRedisError({ cause })
  })
  onProgress('redis-server is ready.')
  return fetched
}

async function findOnPath(...names: string[]): Promise<RedisBinary | undefined> {
  for (const name of names) {
    for (const path of candidatesOnPath(name)) {
      const binary = { path, env: {} }
      if (await answersVersion(binary)) return binary
    }
  }
  return undefined
}

async function isOnPath(name: string): Promise<boolean> {
  const found = await Promise.all(candidatesOnPath(name).map((path) => access(path, constants.X_OK).then(yes, no)))
  return found.includes(true)
}

/** A relative entry of PATH would mean another file after a change of folder: those are passed over. */
function candidatesOnPath(name: string): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.filter((folder) => isAbsolute(folder)).map((folder) => join(folder, name))
}

async function findInCache(cacheFolder: string): Promise<RedisBinary | undefined> {
  const path = join(cacheFolder, 'usr', 'bin', 'redis-server')
  const binary = { path, env: { LD_LIBRARY_PATH: (await libraryFolders(cacheFolder)).join(delimiter) } }
  return (await answersVersion(binary)) ? binary : undefined
}

/** Debian keeps libraries in a folder named after the machine, such as `usr/lib/aarch64-linux-gnu`. */
async function libraryFolders(root: string): Promise<string[]> {
  const parents = [join(root, 'usr', 'lib'), join(root, 'lib')]
  const folders = await Promise.all(
    parents.map(async (parent) => {
      const names = await readdir(parent).catch(() => [])
      return names.filter((name) => name.includes('-linux-')).map((name) => join(parent, name))
    }),
  )
  return folders.flat()
}

async function fetchInto(cacheFolder: string): Promise<RedisBinary> {
  await mkdir(dirname(cacheFolder), { recursive: true })
  // Beside the cache folder, because a rename is atomic within one file system only.
  const workFolder = await mkdtemp(`${cacheFolder}.fetch-`)
  try {
    const root = join(workFolder, 'root')
    await unpackRedisPackages(workFolder, root)
    if ((await findInCache(root)) === undefined) throw new Error('The fetched redis-server does not run here.')
    await putInPlace({ root, cacheFolder, aside: join(workFolder, 'replaced') })
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
  const binary = await findInCache(cacheFolder)
  if (binary === undefined) throw new Error('The fetched redis-server does not run from the cache folder.')
  return binary
}

/** Makes `root` the cache folder, unless another process has put a working one there meanwhile. */
async function putInPlace({ root, cacheFolder, aside }: { root: string; cacheFolder: string; aside: string }) {
  if ((await findInCache(cacheFolder)) !== undefined) return
  await rename(cacheFolder, aside).catch(() => undefined)
  await rename(root, cacheFolder).catch(async (error: unknown) => {
    if ((await findInCache(cacheFolder)) === undefined) throw error
  })
}

/** Running it is the only proof: the file may be of another machine's kind, or lack a library. */
async function answersVersion({ path, env }: RedisBinary): Promise<boolean> {
  const file = await stat(path).catch(() => undefined)
  if (file === undefined || !file.isFile()) return false
  return run(path, ['--version'], { env: { ...process.env, ...env }, timeout: 10_000 }).then(yes, no)
}

function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.trim().split('\n').at(-1) ?? text
}

const yes = () => true
const no = () => false
