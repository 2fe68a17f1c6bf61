/** Finds a program that the local stack or the tests run, or fetches it where that needs no root. */
import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { unpackPackages } from './debian-packages.ts'

const run = promisify(execFile)

/** A program that told its version, with the environment it must be started in. */
export interface Binary {
  path: string
  env: Record<string, string>
}

export interface WantedBinary {
  /** What it is called; the first name is also that in `packages`. */
  readonly names: readonly [string, ...string[]]
  /** Debian's packages that bring it. Their libraries need not be named. */
  readonly packages: readonly string[]
  /** Where the packages put it, as in `usr/sbin`. */
  readonly folder: string
  /** Where to look besides PATH. */
  readonly otherFolders?: readonly string[]
  /** What makes it tell its version and end. */
  readonly versionArgs: readonly string[]
  /** What it must print then. */
  readonly proof?: RegExp
  /** What to throw when it is not here and cannot be fetched. */
  readonly missing: (options?: ErrorOptions) => Error
}

export interface FindOptions {
  /** Where what was fetched is kept: a folder for this program alone. */
  readonly cacheFolder: string
  /** Gets a line when there is something to wait for. */
  readonly onProgress?: (line: string) => void
}

/**
 * Looks on PATH and in other folders, then in `cacheFolder`, and on Debian and Ubuntu then fetches the packages into
 * `cacheFolder`. Several processes may do so at once: the folder appears complete or not at all.
 *
 * @throws what `wanted.missing` makes
 */
export async function findBinary(
  wanted: WantedBinary,
  { cacheFolder, onProgress = () => undefined }: FindOptions,
): Promise<Binary> {
  const present = (await findInstalled(wanted)) ?? (await findInCache(wanted, cacheFolder))
  if (present !== undefined) return present

  const [name] = wanted.names
  const canFetch = (await Promise.all(['apt-get', 'dpkg', 'dpkg-deb'].map(isOnPath))).every(Boolean)
  if (!canFetch) throw wanted.missing()
  onProgress(`${name} not found: fetching the Debian packages (a few MB, no root needed)…`)
  const fetched = await fetchInto(wanted, cacheFolder).catch((cause: unknown) => {
    onProgress(`The packages could not be fetched: ${lastLine(cause)}`)
    throw wanted.missing({ cause })
  })
  onProgress(`${name} is ready.`)
  return fetched
}

async function findInstalled(wanted: WantedBinary): Promise<Binary | undefined> {
  const folders = [...foldersOnPath(), ...(wanted.otherFolders ?? [])]
  for (const name of wanted.names) {
    for (const folder of folders) {
      const binary = { path: join(folder, name), env: {} }
      if (await answers(binary, wanted)) return binary
    }
  }
  return undefined
}

async function isOnPath(name: string): Promise<boolean> {
  const paths = foldersOnPath().map((folder) => join(folder, name))
  const found = await Promise.all(paths.map((path) => access(path, constants.X_OK).then(yes, no)))
  return found.includes(true)
}

/** A relative entry of PATH would mean another file after a change of folder: those are passed over. */
function foldersOnPath(): string[] {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder))
}

async function findInCache(wanted: WantedBinary, cacheFolder: string): Promise<Binary | undefined> {
  const path = join(cacheFolder, wanted.folder, wanted.names[0])
  const binary = { path, env: { LD_LIBRARY_PATH: (await libraryFolders(cacheFolder)).join(delimiter) } }
  return (await answers(binary, wanted)) ? binary : undefined
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

async function fetchInto(wanted: WantedBinary, cacheFolder: string): Promise<Binary> {
  await mkdir(dirname(cacheFolder), { recursive: true })
  // Beside the cache folder, because a rename is atomic within one file system only.
  const workFolder = await mkdtemp(`${cacheFolder}.fetch-`)
  const isWorking = async (folder: string) => (await findInCache(wanted, folder)) !== undefined
  try {
    const root = join(workFolder, 'root')
    await unpackPackages(wanted.packages, { workFolder, targetFolder: root })
    if (!(await isWorking(root))) throw new Error(`The fetched ${wanted.names[0]} does not run here.`)
    await putInPlace({ root, cacheFolder, aside: join(workFolder, 'replaced'), isWorking })
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
  const binary = await findInCache(wanted, cacheFolder)
  if (binary === undefined) throw new Error(`The fetched ${wanted.names[0]} does not run from the cache folder.`)
  return binary
}

interface Placing {
  root: string
  cacheFolder: string
  aside: string
  isWorking: (folder: string) => Promise<boolean>
}

/** Makes `root` the cache folder, unless another process has put a working one there meanwhile. */
async function putInPlace({ root, cacheFolder, aside, isWorking }: Placing): Promise<void> {
  if (await isWorking(cacheFolder)) return
  await rename(cacheFolder, aside).catch(() => undefined)
  await rename(root, cacheFolder).catch(async (error: unknown) => {
    if (!(await isWorking(cacheFolder))) throw error
  })
}

/** Running it is the only proof: the file may be of another machine's kind, or lack a library. */
async function answers({ path, env }: Binary, { versionArgs, proof }: WantedBinary): Promise<boolean> {
  const file = await stat(path).catch(() => undefined)
  if (file === undefined || !file.isFile()) return false
  const options = { env: { ...process.env, ...env }, timeout: 10_000 }
  const said = await run(path, versionArgs, options).catch(() => undefined)
  if (said === undefined) return false
  return proof === undefined || proof.test(said.stdout + said.stderr)
}

function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.trim().split('\n').at(-1) ?? text
}

const yes = () => true
const no = () => false
