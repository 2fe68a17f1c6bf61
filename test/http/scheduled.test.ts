import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { expect, inject, it, onTestFinished } from 'vitest'
import { startTestBridge, startTestRedis } from '../support/redis.ts'
import { testVariables } from '../support/stack.ts'

const types: Record<string, 'ESModule' | 'Text' | 'CompiledWasm'> = {
  js: 'ESModule',
  lua: 'Text',
  txt: 'Text',
  wasm: 'CompiledWasm',
}

it('makes the first signing key when the cron trigger fires, before anybody has called', async () => {
  const redis = await startTestRedis()
  onTestFinished(() => redis.stop())
  const bridge = await startTestBridge(redis.url)
  onTestFinished(() => bridge.close())
  const { folder, modules } = inject('clockWorker')
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: await Promise.all(
        modules.map(async (name) => ({
          type: types[name.split('.').at(-1) ?? ''] ?? 'Text',
          path: name,
          contents: await readFile(join(folder, name)),
        })),
      ),
      compatibilityDate: '2026-07-01',
      bindings: {
        ...testVariables,
        UPSTASH_REDIS_REST_URL: bridge.url,
        UPSTASH_REDIS_REST_TOKEN: bridge.token,
      },
    }),
  )
  onTestFinished(() => miniflare.dispose())
  const direct = new Redis(redis.url, { protocol: 2 })
  onTestFinished(() => direct.disconnect())

  expect(await direct.get('keyring:{0}')).toBeNull()
  const worker = await miniflare.getWorker()
  expect(await worker.scheduled({ cron: '*/10 * * * *' })).toMatchObject({ outcome: 'ok' })
  const { keys } = JSON.parse((await direct.get('keyring:{0}')) ?? '')
  expect(keys).toHaveLength(1)
})
