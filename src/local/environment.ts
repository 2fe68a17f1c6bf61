/** The environment of the local stack: made up where it can be, kept in `.dev.vars` where it must stay the same. */
import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { variableNames } from '../config.ts'

/** Secrets that a local stack makes once. `API_CLIENT_SECRET` is the secret of its client `api`. */
const secretNames = ['LATCHKEY_SECRET', 'API_CLIENT_SECRET'] as const

type DevVars = Record<(typeof secretNames)[number], string>

/** Reads `.dev.vars`, making it or adding what it lacks, readable by its owner only. */
export async function readDevVars(file: string): Promise<{ vars: DevVars & Record<string, string>; made: boolean }> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const found = parseEnv(text)
  const missing = secretNames.filter((name) => !found[name])
  const added = missing.map((name) => `${name}=${randomBytes(32).toString('base64url')}\n`).join('')
  if (added !== '') {
    const separator = text === '' || text.endsWith('\n') ? '' : '\n'
    await writeFile(file, text + separator + added, { mode: 0o600 })
  }
  const all: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...found, ...parseEnv(added) })) if (value) all[name] = value
  const { LATCHKEY_SECRET = '', API_CLIENT_SECRET = '' } = all
  return { vars: { ...all, LATCHKEY_SECRET, API_CLIENT_SECRET }, made: added !== '' }
}

/**
 * The Worker's variables: those of the stack, over them `.dev.vars`, over them what the shell sets.
 *
 * The stack has three clients: `web` (browser, at the stack's own address; meant when a call names none), `app` (native)
 * and `api` (service).
 */
export function describeEnvironment({
  baseUrl,
  store,
  devVars,
  shell,
}: {
  readonly baseUrl: string
  readonly store: { readonly url: string; readonly token: string }
  readonly devVars: DevVars & Readonly<Record<string, string>>
  readonly shell: Readonly<Record<string, string | undefined>>
}): Record<string, string> {
  const secretDigest = createHash('sha256').update(devVars.API_CLIENT_SECRET).digest('base64url')
  const clients = [
    { id: 'web', kind: 'browser', origins: [baseUrl], audiences: [baseUrl] },
    { id: 'app', kind: 'native', audiences: [baseUrl] },
    {
      id: 'api',
      kind: 'service',
      audiences: [baseUrl],
      opens_sessions: true,
      secret_digest: `sha256:${secretDigest}`,
    },
  ]
  const env: Record<string, string> = {
    ISSUER: baseUrl,
    REGISTRATION: 'open',
    CLIENTS: JSON.stringify(clients),
    UPSTASH_REDIS_REST_URL: store.url,
    UPSTASH_REDIS_REST_TOKEN: store.token,
  }
  for (const name of variableNames) {
    const value = shell[name] || devVars[name]
    if (value) env[name] = value
  }
  return env
}
