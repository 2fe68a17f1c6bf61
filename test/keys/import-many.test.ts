import { once } from 'node:events'
import { watch } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { accountJson } from '../../src/store/schema.ts'
import { operatorVariables, startTool } from '../support/command-line.ts'
import { foreignSamples } from '../support/foreign-hashes.ts'
import { startTestBridge, startTestRedis } from '../support/redis.ts'
import { stackForTest } from '../support/stack.ts'
import { json, readTokens, refusal } from '../support/user.ts'

const COUNT = 100_000
const checkpoint = z.object({ lines: z.number() })

const nameOf = (i: number) => `user-${i}`
const sampleOf = (i: number) => foreignSamples[i % foreignSamples.length]
/** Lines that are none: of a scheme that nobody should have, and a name that came before. */
const isWeak = (i: number) => i % 9973 === 7
const isDouble = (i: number) => i % 20_011 === 20_010

function lineOf(i: number): string {
  const username = nameOf(isDouble(i) ? i - 1000 : i)
  const password_hash = isWeak(i) ? '5f4dcc3b5aa765d61d8327deb882cf99' : sampleOf(i)?.hash
  return `${JSON.stringify({ username, password_hash, roles: ['customer'] })}\n`
}

it(
  'imports 100,000 accounts of mixed kinds, killed three times: none lost, none double, and each kind signs in',
  { timeout: 600_000 },
  async () => {
    let batches = 0
    let onBatch = () => {}
    const redis = await startTestRedis()
    const bridge = await startTestBridge(redis.url, {
      onRequest() {
        batches++
        onBatch()
      },
    })
    const direct = new Redis(redis.url, { protocol: 2 })
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-import-'))
    onTestFinished(async () => {
      direct.disconnect()
      await bridge.close()
      await redis.stop()
      await rm(folder, { recursive: true })
    })
    const file = join(folder, 'users.ndjson')
    await writeFile(file, Array.from({ length: COUNT }, (_, i) => lineOf(i)).join(''))
    const start = () => startTool('accounts', ['import', file, '--json'], { env: operatorVariables(bridge) })
    const done = async () => checkpoint.parse(JSON.parse(await readFile(`${file}.progress`, 'utf8'))).lines

    // With a batch under way: the store makes it, and nobody notes that.
    for (const nth of [101, 202]) {
      const killed = start()
      onBatch = () => {
        if (batches === nth) killed.kill('SIGKILL')
      }
      expect(await killed.ended).toMatchObject({ code: null, stdout: '' })
      expect(await done()).toBe((nth - (nth > 101 ? 2 : 1)) * 200)
    }
    // When a checkpoint has just been written.
    const killed = start()
    onBatch = () => {}
    const notes = watch(folder)
    for (let noted = 0; noted < 40_000 + 20_000; noted = await done()) await once(notes, 'change')
    notes.close()
    killed.kill('SIGKILL')
    expect(await killed.ended).toMatchObject({ code: null })

    const finished = await start().ended
    const refusedLines = Array.from({ length: COUNT }, (_, i) => i).filter((i) => isWeak(i) || isDouble(i))
    const imported = COUNT - refusedLines.length
    expect(finished.code).toBe(1)
    expect(JSON.parse(finished.stdout)).toMatchObject({ imported, refused: refusedLines.length })
    const report = (await readFile(`${file}.refused.ndjson`, 'utf8')).trim().split('\n')
    expect(report.map((line) => z.object({ line: z.number() }).parse(JSON.parse(line)).line - 1)).toEqual(refusedLines)

    const keys = await direct.keys('*')
    const found = new Map<string, string>()
    for (let from = 0; from < keys.length; from += 10_000) {
      const part = keys.slice(from, from + 10_000).filter((key) => key.startsWith('account:'))
      for (const text of part.length > 0 ? await direct.mget(part) : []) {
        const { username, userId } = accountJson.parse(text)
        expect(found.has(username)).toBe(false)
        found.set(username, userId)
      }
    }
    expect(found.size).toBe(imported)
    expect(await direct.zcard('accounts:{0}')).toBe(imported)
    for (let i = 0; i < COUNT; i++) expect(found.has(nameOf(i))).toBe(!isWeak(i) && !isDouble(i))
    // One name for each user id: no other account was ever begun.
    expect(keys.filter((key) => key.startsWith('username:')).toSorted()).toEqual(
      [...found.values()].map((userId) => `username:{0}:${userId}`).toSorted(),
    )

    const stack = await stackForTest({ sharedRedis: redis, env: { STORE_TIMEOUT_MS: '5000' } })
    const store = stack.store()
    for (const [kind, { password }] of foreignSamples.entries()) {
      const username = nameOf(50_000 - (50_000 % foreignSamples.length) + kind)
      const login = (secret: string) =>
        stack.request('/v1/login', json({ username, password: secret, client_id: 'app' }))
      expect(await refusal(await login(`x${password}`))).toBe('401 invalid_credentials')
      await readTokens(await login(password))
      expect((await store.findAccount(username))?.hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    }
  },
)
