/** Which service a command is about: the one whose store the shell names, else the local stack that is running. */
import { join } from 'node:path'
import { variableNames } from '../src/config.ts'
import { localFolder, projectRoot } from '../src/local/project.ts'
import { readStackFiles } from '../src/local/stack-file.ts'
import { exitCodes, Refusal } from './answer.ts'

export interface Target {
  /** As the operator is told. */
  readonly name: string
  /** The store's host; neither its token nor a password in its URL. */
  readonly store: string
  /** The Worker's environment there. */
  readonly env: Readonly<Record<string, unknown>>
  /** What is wrong with where the environment comes from, one sentence each. */
  readonly problems: readonly string[]
}

type Shell = Readonly<Record<string, string | undefined>>

/** Variables that are put with `wrangler secret put`, and in no file. */
export const secretNames = ['LATCHKEY_SECRET', 'LATCHKEY_SECRET_PREVIOUS', 'UPSTASH_REDIS_REST_TOKEN'] as const

/** @throws {Refusal} if there is none, or more than one */
export async function findTarget({ shell, port }: { shell: Shell; port?: number | undefined }): Promise<Target> {
  if (!shell['UPSTASH_REDIS_REST_URL'] && !shell['UPSTASH_REDIS_REST_TOKEN']) return findLocalStack(port)
  if (port !== undefined)
    throw new Refusal(
      '--port is for a local stack, but the shell names a store (UPSTASH_REDIS_REST_…).',
      exitCodes.usage,
    )
  return readProduction(shell, variableNames)
}

/** What `wrangler.toml` says, and over it those of the shell's variables that are named. */
export async function readProduction(shell: Shell, names: readonly string[]): Promise<Target> {
  const vars = await readWranglerVars()
  const env: Record<string, unknown> = { ...vars }
  for (const name of names) if (shell[name]) env[name] = shell[name]
  const store = hostOf(env['UPSTASH_REDIS_REST_URL'])
  return {
    name: 'the deployed service, as wrangler.toml and the shell describe it',
    store,
    env,
    problems: [
      ...secretNames
        .filter((name) => vars[name] !== undefined)
        .map((name) => `${name} stands in wrangler.toml: take it out, make a new one, put it with wrangler secret put`),
      ...['ISSUER', 'UPSTASH_REDIS_REST_URL', 'CLIENTS']
        .filter((name) => /\bexample\.(?:com|upstash\.io)\b/.test(String(env[name])))
        .map((name) => `${name} is still the example of wrangler.toml: set it to your own`),
    ],
  }
}

async function findLocalStack(port: number | undefined): Promise<Target> {
  const running = await readStackFiles(localFolder)
  const [stack, ...others] = port === undefined ? running : running.filter((each) => each.port === port)
  if (!stack) {
    const where = port === undefined ? '' : ` on port ${port}`
    throw new Refusal(
      `No local stack is running${where}: start it with npm start, or set UPSTASH_REDIS_REST_URL, ` +
        'UPSTASH_REDIS_REST_TOKEN and LATCHKEY_SECRET to work on a deployed service.',
    )
  }
  if (others.length > 0) {
    const ports = running.map((each) => each.port).join(', ')
    throw new Refusal(`Several local stacks are running: choose one with --port (${ports}).`, exitCodes.usage)
  }
  const store = hostOf(stack.env['UPSTASH_REDIS_REST_URL'])
  return { name: `the local stack on port ${stack.port}`, store, env: stack.env, problems: [] }
}

/** @throws {Refusal} if wrangler cannot read its file */
async function readWranglerVars(): Promise<Record<string, unknown>> {
  // Loaded only here: it takes longer than all the rest together.
  const { unstable_readConfig } = await import('wrangler')
  try {
    return unstable_readConfig({ config: join(projectRoot, 'wrangler.toml') }, { hideWarnings: true }).vars
  } catch (error) {
    throw new Refusal(`wrangler.toml cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The host alone: a URL may carry a password. */
function hostOf(url: unknown): string {
  return URL.parse(String(url))?.host ?? 'no address'
}
