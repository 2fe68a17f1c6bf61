/** Unpacks programs from the packages of Debian or Ubuntu, without root and without installing anything. */
import { execFile } from 'node:child_process'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Of what a package depends on, its program's own parts and its libraries. Not the C library: a second one beside the
 * machine's loader does not start.
 */
const unpackable = /^(?:redis|nginx-core$|lib(?!c6$)|lua|zlib)/u

/**
 * Downloads `packages` with every library they need that this machine lacks, and unpacks them under `targetFolder`.
 * The names of the libraries come from the packages, since they differ between releases (libssl3, libssl3t64).
 *
 * @param workFolder an existing folder for package lists and archives; the caller removes it
 * @throws when apt cannot fetch a package
 */
export async function unpackPackages(
  packages: readonly string[],
  { workFolder, targetFolder }: { workFolder: string; targetFolder: string },
): Promise<void> {
  const archives = join(workFolder, 'archives')
  // apt makes neither its lists' folder nor the one for what is under way.
  const folders = [archives, targetFolder, join(workFolder, 'lists', 'partial'), join(workFolder, 'cache', 'archives')]
  for (const folder of folders) await mkdir(folder, { recursive: true })
  // One broken source of many fails the update although ours was read: whether the download works decides.
  const updateFailure = await apt(workFolder, ['update']).catch((error: unknown) => error)

  const asked = new Set<string>()
  let wanted = [...packages]
  while (wanted.length > 0) {
    for (const name of wanted) asked.add(name)
    await apt(workFolder, ['download', ...wanted], archives).catch((error: unknown) => {
      throw updateFailure ?? error
    })
    const needed: string[] = []
    for (const archive of await readdir(archives)) {
      const path = join(archives, archive)
      await run('dpkg', ['-x', path, targetFolder])
      needed.push(...(await missingDependencies(path)))
      await rm(path)
    }
    wanted = [...new Set(needed)].filter((name) => !asked.has(name))
  }
}

/** apt-get with lists, cache and locks of its own, so that it needs no root and disturbs nobody. */
async function apt(workFolder: string, args: string[], cwd = workFolder): Promise<void> {
  const settings = [
    `Dir::State::lists=${join(workFolder, 'lists')}`,
    `Dir::Cache=${join(workFolder, 'cache')}`,
    'Debug::NoLocking=1',
    'APT::Sandbox::User=',
    'APT::Update::Error-Mode=any',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=20',
  ]
  const options = settings.flatMap((setting) => ['-o', setting])
  await run('apt-get', ['-qq', ...options, ...args], { cwd, env: { ...process.env, LC_ALL: 'C' } })
}

async function missingDependencies(archive: string): Promise<string[]> {
  const { stdout } = await run('dpkg-deb', ['-f', archive, 'Pre-Depends', 'Depends'])
  const missing: string[] = []
  for (const dependency of stdout.replaceAll(/^(?:Pre-)?Depends:/gmu, ',').split(',')) {
    const alternatives = dependency.split('|').flatMap((name) => name.match(/[a-z0-9][a-z0-9+.-]*/u)?.[0] ?? [])
    const [first] = alternatives
    if (first === undefined || !unpackable.test(first)) continue
    const installed = await Promise.all(alternatives.map(isInstalled))
    if (!installed.includes(true)) missing.push(first)
  }
  return missing
}

async function isInstalled(name: string): Promise<boolean> {
  const answer = await run('dpkg-query', ['-W', '-f', '${db:Status-Status} ', name]).catch(() => undefined)
  return answer?.stdout.split(' ').includes('installed') ?? false
}
