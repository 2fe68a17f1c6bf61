import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { projectRoot } from '../../src/local/project.ts'

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
