import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findBalancer } from '../../src/local/fleet/balancer.ts'
import { pickPorts } from '../../src/local/fleet/ports.ts'
import { drawScreen } from '../../src/local/fleet/screen.ts'
import { describeChanges, type Snapshot } from '../../src/local/fleet/snapshot.ts'
import { localFolder, projectRoot } from '../../src/local/project.ts'
import { gatewayForTests } from '../support/gateway.ts'

const nginx = await gatewayForTests(() => findBalancer('nginx', () => undefined))

interface Run {
  readonly child: ChildProcess
  readonly printed: () => string
  /** Resolves with the exit code when all that holds its output has ended. */
  readonly closed: Promise<unknown>
}

function runFleet(args: readonly string[], wrap: (command: string[]) => string[] = (command) => command): Run {
  const [program = '', ...rest] = wrap([process.execPath, 'src/local/fleet/run.ts', ...args])
  const child = spawn(program, rest, { cwd: projectRoot, stdio: ['pipe', 'pipe', 'pipe'] })
  let text = ''
  child.stdout.on('data', (chunk) => (text += String(chunk)))
  child.stderr.on('data', (chunk) => (text += String(chunk)))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    const port = args[args.indexOf('--port') + 1]
    for (const left of [`fleet-${port}`, `stack-${port}.json`])
      await rm(join(localFolder, left), { recursive: true, force: true })
  })
  return { child, printed: () => text, closed: once(child, 'close').then(([code]) => code) }
}

const until = (run: Run, what: RegExp) => expect.poll(run.printed, { timeout: 30_000, interval: 50 }).toMatch(what)

/** The process ids that it told. */
function processesOf(printed: string): Map<string, number> {
  return new Map([...printed.matchAll(/(\S+) is process (\d+)/gu)].map(([, name = '', pid]) => [name, Number(pid)]))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe.runIf(nginx)('npm run fleet without a terminal', () => {
  test('prints a line for each change, and ends everything on SIGINT', async () => {
    const [port = 0] = await pickPorts(1)
    const run = runFleet(['--port', String(port), '--servers', '2'])
    await until(run, /the primary is redis-1; .*balancer is process \d+/u)
    const processes = processesOf(run.printed())
    expect(processes.size).toBe(2 + 3 + 3 + 1)
    process.kill(processes.get('server-2') ?? 0, 'SIGKILL')
    await until(run, /server-2 is down/u)
    run.child.kill('SIGINT')
    expect(await run.closed).toBe(0)
    expect([...processes.values()].filter(isAlive)).toEqual([])
    expect(run.printed()).not.toContain('\u001b[')
  })

  test('leaves nothing behind when it is itself killed by force', async () => {
    const [port = 0] = await pickPorts(1)
    const run = runFleet(['--port', String(port), '--servers', '1'])
    await until(run, /balancer is process \d+/u)
    const processes = [...processesOf(run.printed()).values()]
    run.child.kill('SIGKILL')
    await expect.poll(() => processes.filter(isAlive), { timeout: 5000 }).toEqual([])
  })
})

/** `script` gives it a terminal. It is part of util-linux; that of other systems takes its command differently. */
const inTerminal = (command: string[]) => ['script', '-qec', command.join(' '), '/dev/null']

describe.runIf(nginx && process.platform === 'linux')('npm run fleet in a terminal', () => {
  test('shows one screen, kills and revives by key, and gives the terminal back', async () => {
    const [port = 0] = await pickPorts(1)
    const run = runFleet(['--port', String(port), '--servers', '1'], inTerminal)
    await until(run, /kill or revive/u)
    run.child.stdin?.write('1')
    await until(run, /server-1 is down/u)
    run.child.stdin?.write('1')
    await until(run, /server-1 is up \(process \d+\)/u)
    run.child.stdin?.write('q')
    expect(await run.closed).toBe(0)
    const [, afterwards = ''] = run.printed().split('\u001b[?1049l')
    expect(afterwards.trim()).toBe('Ending…')
  })
})

describe('npm run fleet', () => {
  test('explains itself', async () => {
    const run = runFleet(['--help'])
    expect(await run.closed).toBe(0)
    expect(run.printed()).toContain('--balancer haproxy')
  })

  test('says in one sentence what is wrong', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await once(taken, 'listening')
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const wrong: [string[], RegExp][] = [
      [['--port', String(port)], /^\nPort \d+ is in use or not allowed\. Choose another: .*\n$/u],
      [['--balancer', 'apache'], /^\n--balancer is nginx or haproxy, not "apache"\..*\n$/u],
      [['--servers', '10'], /^\n--servers must be 1 to 9, not "10"\..*\n$/u],
      [['--prot', '1'], /^\nUnknown option '--prot'.*See npm run fleet -- --help\.\n$/u],
    ]
    for (const [args, message] of wrong) {
      const run = runFleet(args)
      expect(await run.closed).toBe(1)
      expect(run.printed()).toMatch(message)
    }
  })
})

describe('the screen', () => {
  const counts = { requests: 7, refusals: 2, failures: 1 }
  const before: Snapshot = {
    takenAtMs: 0,
    servers: [
      { name: 'server-1', pid: 11, counts, requestsPerSecond: 3 },
      { name: 'server-2', pid: 12, counts, requestsPerSecond: 0 },
    ],
    redis: [
      { name: 'redis-1', pid: 21, state: 'primary', behindBytes: undefined },
      { name: 'redis-2', pid: 22, state: 'replica', behindBytes: 0 },
    ],
    sentinels: [{ name: 'sentinel-1', pid: 31 }],
    balancer: { name: 'balancer', pid: 41 },
    primary: 'redis-1',
    unserved: { requests: 0, refusals: 0, failures: 0 },
  }
  const after: Snapshot = {
    ...before,
    servers: [
      { name: 'server-1', pid: undefined, counts, requestsPerSecond: 0 },
      { name: 'server-2', pid: 13, counts, requestsPerSecond: 0 },
    ],
    redis: [
      { name: 'redis-1', pid: undefined, state: 'down', behindBytes: undefined },
      { name: 'redis-2', pid: 22, state: 'primary', behindBytes: undefined },
    ],
    primary: 'redis-2',
  }

  test('fits the terminal, and keeps the newest events', () => {
    const events = Array.from({ length: 50 }, (_, index) => `event ${index}`)
    const options = { url: 'http://localhost:1', kind: 'nginx', snapshot: after, events, load: undefined } as const
    const lines = drawScreen({ ...options, rows: 24, keys: new Map([['server-1', '1']]) })
    expect(lines).toHaveLength(24)
    const text = lines.join('\n')
    expect(text).toMatch(/1 {2}server-1 .*down/u)
    expect(text).toContain('event 49')
    expect(text).not.toContain('event 1\n')
  })

  test('tells what has changed', () => {
    expect(describeChanges(before, before)).toEqual([])
    expect(describeChanges(before, after)).toEqual([
      'server-1 is down',
      'server-2 was restarted (process 13)',
      'redis-1 is down',
      'failover: redis-2 is the primary now',
    ])
  })
})
