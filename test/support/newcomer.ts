import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chown, cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { projectRoot } from '../../src/local/project.ts'

const run = promisify(execFile)

/** Debian's user and group for those who are nobody. */
const NOBODY = 65_534

/** A person who is not root, on a machine without redis-server, with a fresh copy of the project. */
export interface Newcomer {
  readonly project: string
  /** Starts a command line in the project; its output gathers in `printed`. */
  start(commandLine: string, env?: Readonly<Record<string, string>>): Running
  /** Runs a command line to its end. */
  run(commandLine: string, env?: Readonly<Record<string, string>>): Promise<{ code: number | null; printed: string }>
  leave(): Promise<void>
}

export interface Running {
  printed(): string
  /** Ctrl-C: SIGINT to the whole group, as a terminal sends it. Answers when all that holds its output has ended. */
  interrupt(): Promise<void>
  /** Whether any process of the group is left. */
  isRunning(): boolean
  readonly ended: Promise<number | null>
}

export async function createNewcomer(): Promise<Newcomer> {
  const home = await mkdtemp(join(tmpdir(), 'latchkey-newcomer-'))
  const project = join(home, 'latchkey')
  const commands = join(home, 'bin')
  const { stdout } = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: projectRoot })
  for (const file of stdout.split('\0').filter((name) => name !== ''))
    await cp(join(projectRoot, file), join(project, file)).catch((error: NodeJS.ErrnoException) => {
      // Deleted here, and not yet in a commit.
      if (error.code !== 'ENOENT') throw error
    })
  await linkCommands(commands)
  const isRoot = process.getuid?.() === 0
  if (isRoot) await run('chown', ['-R', `${NOBODY}:${NOBODY}`, home])
  else await chown(home, process.getuid?.() ?? 0, process.getgid?.() ?? 0)

  const start = (commandLine: string, env: Readonly<Record<string, string>> = {}): Running => {
    const shell = ['bash', '-c', commandLine]
    const [command = '', ...args] = isRoot
      ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...shell]
      : shell
    const child = spawn(command, args, {
      cwd: project,
      env: { ...withoutNpm(process.env), HOME: home, PATH: commands, TMPDIR: home, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    return follow(child)
  }
  return {
    project,
    start,
    async run(commandLine, env) {
      const running = start(commandLine, env)
      const code = await running.ended
      return { code, printed: running.printed() }
    },
    leave: () => rm(home, { recursive: true, force: true }),
  }
}

function follow(child: ChildProcess): Running {
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (printed += String(chunk)))
  const { pid } = child
  if (pid === undefined) throw new Error('the shell did not start')
  const ended = once(child, 'close').then(([code]) => (typeof code === 'number' ? code : null))
  return {
    printed: () => printed,
    async interrupt() {
      process.kill(-pid, 'SIGINT')
      await ended
    },
    isRunning() {
      try {
        return process.kill(-pid, 0)
      } catch {
        return false
      }
    },
    ended,
  }
}

/** Every command of this machine but Redis and its kin, in one folder. */
async function linkCommands(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  // The machine's own Node: the one that npm puts first for its scripts belongs to this checkout.
  const folders = (process.env.PATH ?? '').split(delimiter).filter((path) => !path.includes('node_modules'))
  for (const from of folders)
    for (const name of await readdir(from).catch(() => []))
      if (!/^(redis|valkey)/.test(name)) await symlink(join(from, name), join(folder, name)).catch(() => undefined)
}

/** Without what `npm test` adds to its scripts' environment, and without the test runner's own. */
function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(npm_|NODE_ENV|VITEST|TEST$)/.test(name)))
}
