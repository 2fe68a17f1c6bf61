import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { projectRoot } from '../../src/local/project.ts'
import type { TestBridge } from './redis.ts'
import { testVariables } from './stack.ts'

/** The variables of a complete service whose store is behind the bridge. */
export function operatorVariables(bridge: TestBridge): Record<string, string> {
  const env: Record<string, string> = {
    ...testVariables,
    UPSTASH_REDIS_REST_URL: bridge.url,
    UPSTASH_REDIS_REST_TOKEN: bridge.token,
  }
  // doctor takes addresses at example.com for those that wrangler.toml came with.
  for (const name of ['ISSUER', 'CLIENTS']) env[name] = env[name]?.replaceAll('example.com', 'latchkey.test') ?? ''
  return env
}

export interface CommandRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs one of the operator's tools as npm does: the real program, in a process of its own, without a terminal. */
export async function runTool(
  tool: 'keys' | 'accounts' | 'deploy',
  args: readonly string[],
  { env, input = '', root = projectRoot }: { env: Record<string, string>; input?: string; root?: string },
): Promise<CommandRun> {
  const program = ['--import', './src/local/lua-text.ts', join('keys', `${tool}.ts`)]
  const child = spawn(process.execPath, [...program, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : null, stdout, stderr }
}
