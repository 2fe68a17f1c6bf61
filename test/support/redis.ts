import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Bridge, type BridgeOptions, startBridge } from '../../src/local/bridge.ts'
import { findRedisServer, type RedisBinary } from '../../src/local/redis-binary.ts'
import { type RedisProcess, startRedis } from '../../src/local/redis-process.ts'

const cacheFolder = fileURLToPath(new URL('../../.latchkey/redis', import.meta.url))

/** The redis-server that all tests use. The first call on a new machine may fetch it: allow a minute. */
export function testRedisBinary(): Promise<RedisBinary> {
  return findRedisServer({ cacheFolder })
}

/** A real, empty Redis with a folder of its own, which `stop` removes. It keeps its data over `kill` and `restart`. */
export async function startTestRedis({ extraConfig = [] }: { extraConfig?: string[] } = {}): Promise<RedisProcess> {
  const binary = await testRedisBinary()
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-redis-'))
  // A write that is to be synced within a second can still be in memory when the process is killed.
  const config = ['appendfsync no', ...extraConfig]
  const redis = await startRedis({ binary, folder, persist: true, extraConfig: config })
  const testRedis: RedisProcess = {
    ...redis,
    get pid() {
      return redis.pid
    },
    get exited() {
      return redis.exited
    },
    async stop() {
      await redis.stop()
      await rm(folder, { recursive: true, force: true })
    },
    async restart() {
      await redis.restart()
      return testRedis
    },
  }
  return testRedis
}

export type TestBridge = Bridge & { token: string }

/** A bridge with a token of its own. */
export async function startTestBridge(
  redisUrl: string,
  options: Omit<BridgeOptions, 'redisUrl' | 'token'> = {},
): Promise<TestBridge> {
  const token = randomBytes(16).toString('hex')
  const bridge = await startBridge({ ...options, redisUrl, token })
  return { ...bridge, token }
}
