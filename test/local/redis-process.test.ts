import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { RedisBinary } from '../../src/local/redis-binary.ts'
import { type RedisProcess, startRedis, type StartRedisOptions } from '../../src/local/redis-process.ts'
import { testRedisBinary } from '../support/redis.ts'

let binary: RedisBinary
let parent: string
let folder: string
let started: RedisProcess[]

async function start(options: Partial<StartRedisOptions> = {}): Promise<RedisProcess> {
  const redis = await startRedis({ binary, folder, persist: true, ...options })
  started.push(redis)
  return redis
}

async function withClient<T>({ url }: { url: string }, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, { protocol: 2 })
  client.on('error', () => undefined)
  try {
    return await use(client)
  } finally {
    client.disconnect()
  }
}

/** The number of a process that has come and gone. */
function deadPid(): number {
  return spawnSync(process.execPath, ['--version']).pid
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === 'linux') return readFile(`/proc/${pid}/cmdline`, 'utf8')
  return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
}

/** One letter: T is stopped. */
async function stateOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') return (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ').at(-1)?.[0]
  return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' })[0]
}

beforeAll(async () => {
  binary = await testRedisBinary()
}, 120_000)

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'latchkey-process-'))
  folder = join(parent, 'data "of" redis')
  started = []
})

afterEach(async () => {
  await Promise.all(started.map((redis) => redis.stop()))
  await rm(parent, { recursive: true, force: true })
})

test('answers behind its password, on the loopback interface only, in a folder of its own', async () => {
  const redis = await start()
  const bound = await withClient(redis, (client) => client.config('GET', 'bind'))
  expect(bound).toEqual(['bind', '127.0.0.1'])
  await withClient({ url: `redis://127.0.0.1:${redis.port}` }, async (stranger) => {
    await expect(stranger.get('a')).rejects.toThrow('NOAUTH')
  })
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
})

test('keeps its password out of the command line and the folder', async () => {
  const redis = await start()
  const { password } = new URL(redis.url)
  expect(password.length).toBeGreaterThan(32)
  await withClient(redis, (client) => client.set('a', '1'))
  expect(spawnSync('grep', ['-r', password, folder]).status).toBe(1)
  expect(await commandLineOf(redis.pid)).toContain('redis')
  expect(await commandLineOf(redis.pid)).not.toContain(password)
})

test('keeps data, address and password over a restart', async () => {
  const redis = await start()
  const { url, pid } = redis
  await withClient(redis, (client) => client.set('kept', 'value'))
  expect(await redis.restart()).toBe(redis)
  expect(redis.url).toBe(url)
  expect(redis.pid).not.toBe(pid)
  expect(await withClient(redis, (client) => client.get('kept'))).toBe('value')
})

test('keeps data over a crash', async () => {
  const redis = await start()
  await withClient(redis, (client) => client.set('kept', 'value'))
  await redis.kill()
  expect(isAlive(redis.pid)).toBe(false)
  await redis.restart()
  expect(await withClient(redis, (client) => client.get('kept'))).toBe('value')
})

test('keeps nothing over a restart when told not to persist', async () => {
  const redis = await start({ persist: false })
  await withClient(redis, (client) => client.set('lost', 'value'))
  await redis.restart()
  expect(await withClient(redis, (client) => client.get('lost'))).toBeNull()
})

test('hangs while paused, goes on when resumed, and can be stopped while paused', async () => {
  const redis = await start()
  await withClient(redis, async (client) => {
    await client.ping()
    redis.pause()
    let answered = false
    const answer = client.incr('count').finally(() => (answered = true))
    await expect.poll(() => stateOf(redis.pid)).toBe('T')
    expect(answered).toBe(false)
    redis.resume()
    expect(await answer).toBe(1)
  })
  redis.pause()
  await redis.stop()
  expect(isAlive(redis.pid)).toBe(false)
  await redis.stop()
})

test('refuses a second start on the same folder in one clear sentence', async () => {
  const first = await start()
  await expect(start()).rejects.toThrow(
    `The folder ${folder} is in use by another Redis (process ${first.pid}): stop that one first.`,
  )
  expect(await withClient(first, (client) => client.ping())).toBe('PONG')
})

test('lets only one of many concurrent starts have a folder', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => start()))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason.name)).toEqual(
    Array.from({ length: 7 }, () => 'FolderInUseError'),
  )
})

test('starts on a folder that was stopped or crashed before', async () => {
  const first = await start()
  await first.stop()
  const second = await start()
  process.kill(second.pid, 'SIGKILL')
  await expect.poll(() => isAlive(second.pid)).toBe(false)
  const third = await start()
  expect(await withClient(third, (client) => client.ping())).toBe('PONG')
})

test.each([
  ['a process that is gone', () => `${deadPid()} 1`],
  ['a number that another process has got since', () => `${process.pid} 1`],
  ['nobody', () => ''],
])('takes over the lock of %s', async (_, content) => {
  const first = await start()
  await first.stop()
  await writeFile(join(folder, 'redis.lock'), content())
  const second = await start()
  expect(await withClient(second, (client) => client.ping())).toBe('PONG')
})

test('says what redis-server said when it ends while starting, and frees the folder', async () => {
  await expect(start({ extraConfig: ['no-such-setting yes'] })).rejects.toThrow(/Bad directive/u)
  await start()
})

test('says when a wanted port is taken', async () => {
  const first = await start()
  await expect(start({ folder: join(parent, 'other'), port: first.port })).rejects.toThrow('Address already in use')
})

test('reports a binary that cannot be started, and frees the folder', async () => {
  await expect(start({ binary: { path: join(parent, 'absent'), env: {} } })).rejects.toThrow('ENOENT')
  await start()
})

test('runs in cluster mode', async () => {
  const redis = await start({ extraConfig: ['cluster-enabled yes'] })
  expect(await withClient(redis, (client) => client.cluster('ADDSLOTSRANGE', 0, 16_383))).toBe('OK')
})
