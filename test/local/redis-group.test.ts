import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bridge, startBridge } from '../../src/local/bridge.ts'
import type { FleetRedis } from '../../src/local/fleet/fleet.ts'
import { startGuardian } from '../../src/local/fleet/guardian.ts'
import { type RedisGroup, startRedisGroup } from '../../src/local/fleet/redis-group.ts'
import { testRedisBinary } from '../support/redis.ts'

const token = 'of the bridge'
const stops: (() => Promise<unknown>)[] = []
let group: RedisGroup
let bridge: Bridge

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-redis-group-'))
  stops.push(() => rm(folder, { recursive: true, force: true }))
  const guardian = await startGuardian()
  stops.push(guardian.close)
  group = await startRedisGroup({
    binary: await testRedisBinary(),
    folder: join(folder, 'redis'),
    guardian,
    onLine: () => undefined,
    onStarted: (stop) => void stops.push(stop),
  })
  bridge = await startBridge({ redisUrl: group.place, token })
  stops.push(bridge.close)
  await group.guarded
}, 60_000)

afterAll(async () => {
  for (const stop of stops.toReversed()) await stop()
})

async function write(): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  const { status } = await fetch(bridge.url, { method: 'POST', headers, body: '["set","key","value"]' })
  return status
}

const patient = { timeout: 20_000, interval: 50 }

async function settledPrimary(): Promise<FleetRedis> {
  await expect.poll(() => group.isSettled(), patient).toBe(true)
  await expect.poll(write, patient).toBe(200)
  const primary = await group.primary()
  if (!primary) throw new Error('The sentinels know no primary.')
  return primary
}

/** The process is silent, and its connections stay open. */
function silence({ pid }: FleetRedis): () => void {
  const silenced = pid()
  if (silenced === undefined) throw new Error('It does not run.')
  process.kill(silenced, 'SIGSTOP')
  return () => void process.kill(silenced, 'SIGCONT')
}

test('a request that waits at a primary fallen silent is answered with 503 before another is primary', async () => {
  const wake = silence(await settledPrimary())
  expect(await write()).toBe(503)
  wake()
  await settledPrimary()
})

test('a primary that was replaced while it was silent takes no writes when it goes on', async () => {
  const old = await settledPrimary()
  const [next, other] = group.redis.filter((each) => each !== old)
  await other?.kill()
  const wake = silence(old)
  await expect.poll(async () => next?.role(), patient).toBe('primary')
  wake()
  const redis = new Redis({ port: old.port, password: group.place.password, protocol: 2 })
  await expect(redis.set('key', 'lost')).rejects.toThrow(/^(?:NOREPLICAS|READONLY)/u)
  redis.disconnect()
  await other?.revive()
  await settledPrimary()
}, 60_000)
