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

interface RunOptions {
  readonly env: Record<string, string>
  readonly input?: string
  readonly root?: string
}

export interface RunningTool {
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<CommandRun>
}

type Tool = 'keys' | 'accounts' | 'deploy'

/** Runs one of the operator's tools as npm does: the real program, in a process of its own, without a terminal. */
export function runTool(tool: Tool, args: readonly string[], options: RunOptions): Promise<CommandRun> {
  return startTool(tool, args, options).ended
}

export function startTool(
  tool: Tool,
  args: readonly string[],
  { env, input = '', root = projectRoot }: RunOptions,
): RunningTool {
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
  const closed = once(child, 'close')
  const toRun = ([code]: unknown[]) => ({ code: typeof code === 'number' ? code : null, stdout, stderr })
  return { kill: (signal) => void child.kill(signal), ended: closed.then(toRun) }
}
