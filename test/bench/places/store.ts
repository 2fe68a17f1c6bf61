/** A Redis of its own, and the Upstash protocol in front of it. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { startBridge } from '../../../src/local/bridge.ts'
import { redisCacheFolder } from '../../../src/local/project.ts'
import { findRedisServer } from '../../../src/local/redis-binary.ts'
import { startRedis } from '../../../src/local/redis-process.ts'
import { bePlace } from './place.ts'

bePlace(z.object({}), async () => {
  const binary = await findRedisServer({ cacheFolder: redisCacheFolder })
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-redis-'))
  // Nothing is written to the disk: it would only add noise, and the same for everybody.
  const redis = await startRedis({ binary, folder, persist: false })
  const token = randomBytes(32).toString('base64url')
  const bridge = await startBridge({ redisUrl: redis.url, token })
  return {
    ready: { redisUrl: redis.url, url: bridge.url, token },
    async stop() {
      await bridge.close()
      await redis.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
})
