import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { redisCacheFolder } from '../../src/local/project.ts'
import { findRedisServer } from '../../src/local/redis-binary.ts'
import { buildWorker, type WorkerBundle } from '../../src/local/worker-bundle.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The Worker whose clock tests can move. */
    clockWorker: WorkerBundle
  }
}

/** Fetches redis-server if need be and builds the Worker, once for all test files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await findRedisServer({ cacheFolder: redisCacheFolder, onProgress: console.log })
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-worker-'))
  project.provide('clockWorker', await buildWorker(folder, ['test/workerd/clock-worker.ts']))
  return () => rm(folder, { recursive: true, force: true })
}
