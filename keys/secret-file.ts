/** The fresh secret of `init`, and the file in which the local stack keeps it. */
import { randomBytes, randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'

const NAME = 'LATCHKEY_SECRET'
const PREVIOUS = 'LATCHKEY_SECRET_PREVIOUS'

/** 32 random bytes in base64url. */
export function freshSecret(): string {
  return randomBytes(32).toString('base64url')
}

export async function hasSecret(file: string): Promise<boolean> {
  return Boolean(parseEnv(await readText(file))[NAME])
}

/**
 * Puts a secret into the file, in one step and readable by its owner only. The one that is there becomes the previous one;
 * every other line stays as it is.
 */
export async function putSecret(file: string, secret: string): Promise<void> {
  const text = await readText(file)
  const replaced = parseEnv(text)[NAME]
  const rest = text.split('\n').filter((line) => line !== '' && !isOurs(line, replaced !== undefined))
  const ours = [`${NAME}=${secret}`, ...(replaced ? [`${PREVIOUS}=${replaced}`] : [])]
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, [...ours, ...rest, ''].join('\n'), { mode: 0o600 })
  await rename(draft, file)
}

function isOurs(line: string, withPrevious: boolean): boolean {
  const name = /^\s*(?:export\s+)?(\w+)\s*=/.exec(line)?.[1]
  return name === NAME || (withPrevious && name === PREVIOUS)
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
}
