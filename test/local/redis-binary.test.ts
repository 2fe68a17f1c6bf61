import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findRedisServer, MissingRedisError } from '../../src/local/redis-binary.ts'

let parent: string
let cacheFolder: string
let lines: string[]

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'latchkey-binary-'))
  cacheFolder = join(parent, 'cache', 'redis')
  lines = []
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(parent, { recursive: true, force: true })
})

const find = () => findRedisServer({ cacheFolder, onProgress: (line) => lines.push(line) })

/** A program that answers `--version`, or fails. */
async function program(path: string, exitCode = 0): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, `#!/bin/sh\nexit ${exitCode}\n`)
  await chmod(path, 0o755)
  return path
}

/** All of PATH but redis-server and valkey-server. */
async function pathWithoutRedis(): Promise<string> {
  const folder = join(parent, 'bin')
  await mkdir(folder)
  const folders = (process.env.PATH ?? '').split(delimiter).filter((entry) => existsSync(entry))
  const names = (
    await Promise.all(folders.map(async (from) => (await readdir(from)).map((name) => ({ from, name }))))
  ).flat()
  const first = new Map(names.toReversed().map(({ from, name }) => [name, from]))
  for (const [name, from] of first) {
    if (!/^(?:redis|valkey)-/u.test(name)) await symlink(join(from, name), join(folder, name))
  }
  return folder
}

test('takes the redis-server on PATH', async () => {
  const path = await program(join(parent, 'one', 'redis-server'))
  vi.stubEnv('PATH', [join(parent, 'none'), join(parent, 'one')].join(delimiter))
  expect(await find()).toEqual({ path, env: {} })
  expect(lines).toEqual([])
})

test('takes valkey-server where there is no redis-server', async () => {
  const path = await program(join(parent, 'valkey-server'))
  vi.stubEnv('PATH', parent)
  expect(await find()).toEqual({ path, env: {} })
})

test('passes over one on PATH that does not run', async () => {
  await program(join(parent, 'one', 'redis-server'), 1)
  const path = await program(join(parent, 'two', 'redis-server'))
  vi.stubEnv('PATH', [join(parent, 'one'), join(parent, 'two')].join(delimiter))
  expect(await find()).toEqual({ path, env: {} })
})

test('falls back to the cache folder, with the libraries there', async () => {
  const path = await program(join(cacheFolder, 'usr', 'bin', 'redis-server'))
  const libraries = [join(cacheFolder, 'usr', 'lib', 'x86_64-linux-gnu'), join(cacheFolder, 'lib', 'x86_64-linux-gnu')]
  for (const folder of libraries) await mkdir(folder, { recursive: true })
  vi.stubEnv('PATH', '')
  expect(await find()).toEqual({ path, env: { LD_LIBRARY_PATH: libraries.join(delimiter) } })
  expect(lines).toEqual([])
})

test('says what to install on a machine with nothing', async () => {
  vi.stubEnv('PATH', '')
  const error = await find().catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(MissingRedisError)
  expect(error).toHaveProperty('message', expect.stringContaining('sudo apt-get install redis-server'))
  expect(error).toHaveProperty('message', expect.stringContaining('brew install redis'))
  expect(error).toHaveProperty('message', expect.stringContaining('sudo dnf install redis'))
  expect(error).toHaveProperty('message', expect.stringContaining('REDIS_URL'))
})

test('says what to install when the packages cannot be fetched, and leaves nothing behind', async () => {
  for (const name of ['apt-get', 'dpkg', 'dpkg-deb']) await program(join(parent, 'broken', name), 100)
  vi.stubEnv('PATH', join(parent, 'broken'))
  await expect(find()).rejects.toThrow(MissingRedisError)
  expect(lines).toEqual([
    expect.stringContaining('redis-server not found'),
    expect.stringContaining('could not be fetched'),
  ])
  expect(await readdir(join(cacheFolder, '..'))).toEqual([])
})

test.runIf(existsSync('/etc/debian_version'))(
  'fetches the packages once where apt is, also over a cached one that does not run',
  async () => {
    await program(join(cacheFolder, 'usr', 'bin', 'redis-server'), 1)
    vi.stubEnv('PATH', await pathWithoutRedis())
    const [found, foundToo] = await Promise.all([find(), find()])
    expect(foundToo).toEqual(found)
    expect(found.path.startsWith(cacheFolder)).toBe(true)
    const version = execFileSync(found.path, ['--version'], { env: found.env, encoding: 'utf8' })
    expect(version).toMatch(/server v=\d/u)
    expect(await readdir(join(cacheFolder, '..'))).toEqual(['redis'])
    lines = []
    expect(await find()).toEqual(found)
    expect(lines).toEqual([])
  },
  120_000,
)
