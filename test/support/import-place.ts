import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Account } from '../../src/store/store.ts'
import { createUpstashStore } from '../../src/store/upstash.ts'
import { operatorVariables, runTool, type CommandRun } from './command-line.ts'
import { foreignSamples } from './foreign-hashes.ts'
import { startTestBridge, startTestRedis, type TestBridge } from './redis.ts'
import { testConfig } from './stack.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export const bcryptHash = foreignSamples.find(({ name }) => name === 'bcrypt, cost 12')?.hash ?? ''

/** A file to import, and a store behind a proxy to import it into. */
export interface ImportPlace {
  /** The shell's variables. */
  readonly env: Record<string, string>
  readonly folder: string
  readonly file: string
  readonly bridge: TestBridge
  readonly proxy: TcpProxy
  readonly direct: Redis
  /** Called for each batch before the store has it, with its number. */
  onBatch: (nth: number) => void
  /** `npm run accounts -- import FILE`, with more arguments. */
  run(...args: string[]): Promise<CommandRun>
  find(username: string): Promise<Account | undefined>
  /** How many accounts there are, and how many names by which user ids find theirs: one each. */
  stored(): Promise<[number, number]>
  /** An empty store and another file. */
  reset(): Promise<void>
  stop(): Promise<void>
}

export async function startImportPlace(): Promise<ImportPlace> {
  let batches = 0
  let folder = await mkdtemp(join(tmpdir(), 'latchkey-import-'))
  const redis = await startTestRedis()
  const bridge = await startTestBridge(redis.url, {
    onRequest: ({ path }) => {
      if (path === '/pipeline') place.onBatch(++batches)
    },
  })
  const proxy = await startTcpProxy({ targetPort: bridge.port })
  const direct = new Redis(redis.url, { protocol: 2 })
  const env = { ...operatorVariables(bridge), UPSTASH_REDIS_REST_URL: `http://127.0.0.1:${proxy.port}` }
  const variables = { UPSTASH_REDIS_REST_URL: bridge.url, UPSTASH_REDIS_REST_TOKEN: bridge.token }
  const store = createUpstashStore(testConfig({ ...variables, STORE_TIMEOUT_MS: '5000' }))
  const place: ImportPlace = {
    env,
    get folder() {
      return folder
    },
    get file() {
      return join(folder, 'users.ndjson')
    },
    bridge,
    proxy,
    direct,
    onBatch: () => undefined,
    run: (...args) => runTool('accounts', ['import', place.file, ...args], { env }),
    find: (username) => store.findAccount(username),
    stored: async () => [(await direct.keys('account:*')).length, (await direct.keys('username:*')).length],
    async reset() {
      await direct.flushall()
      await rm(folder, { recursive: true })
      folder = await mkdtemp(join(tmpdir(), 'latchkey-import-'))
      batches = 0
      place.onBatch = () => undefined
      proxy.mode('pass')
    },
    async stop() {
      direct.disconnect()
      await proxy.close()
      await bridge.close()
      await redis.stop()
      await rm(folder, { recursive: true })
    },
  }
  return place
}

/** So many lines of a file to import. */
export function importLines(
  count: number,
  line = (i: number): unknown => ({ username: `user-${i}`, password_hash: bcryptHash }),
): string {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify(line(i))}\n`).join('')
}

export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
