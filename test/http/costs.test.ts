import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { apiSecret, startStack, type Stack } from '../support/stack.ts'
import { basic, bearer, createUser, form, json, password, type User } from '../support/user.ts'

/** KiB, gzipped file by file. A little above today's, so that growth is a decision. */
const WORKER_LIMIT_KIB = 480

let stack: Stack
let direct: Redis
let user: User

beforeAll(async () => {
  stack = await startStack()
  direct = new Redis(stack.redis.url)
  user = await createUser(stack)
  // Warm: the ring is in the isolate, the scripts are in the store.
  const { refresh_token, access_token } = await user.login()
  await user.refreshed(refresh_token)
  await stack.request('/oauth/revoke', form({ token: access_token, client_id: 'app' }))
  await stack.request('/v1/logout', json({ refresh_token }))
})
afterAll(async () => {
  direct.disconnect()
  await stack.stop()
})

/** How often Redis has run each command so far, in scripts and out of them: Upstash bills each. */
async function calls(): Promise<Map<string, number>> {
  const found = (await direct.info('commandstats')).matchAll(/^cmdstat_([\w|]+):calls=(\d+)/gm)
  return new Map([...found].map(([, name = '', count]) => [name, Number(count)]))
}

/** What the work cost: commands that ran, the scripts' own calls among them, and bytes of what was sent to the store. */
async function costOf(work: () => Promise<Response>, status: number) {
  stack.forgetStoreRequests()
  const before = await calls()
  const answer = await work()
  expect(answer.status).toBe(status)
  const after = await calls()
  // The question itself is one of them.
  const ran = [...after].filter(([name]) => name !== 'info').map(([name, count]) => count - (before.get(name) ?? 0))
  const sent = stack.storeRequests.map(({ commands }) => JSON.stringify(commands).length)
  const sum = (counts: readonly number[]) => counts.reduce((all, one) => all + one, 0)
  return { commands: sum(ran), bytes: sum(sent) }
}

describe('what an operation costs at the store, commands and bytes', () => {
  it.each([
    { name: 'login', commands: 12, bytes: 650 },
    { name: 'refresh', commands: 3, bytes: 400 },
    { name: 'replay', commands: 2, bytes: 400 },
    { name: 'logout', commands: 7, bytes: 350 },
    { name: 'live check', commands: 1, bytes: 100 },
    { name: 'cached check', commands: 0, bytes: 0 },
    { name: 'introspection', commands: 1, bytes: 100 },
    { name: 'revocation of an access token', commands: 7, bytes: 400 },
  ])('of a $name: at most $commands and $bytes', async ({ name, commands, bytes }) => {
    const { refresh_token, access_token } = await user.login()
    const refresh = (attempt: string) => () => user.refresh(refresh_token, { attempt })
    const verify = () => stack.request('/v1/verify', bearer(access_token))
    const introspect = form({ token: access_token }, basic('api', apiSecret))
    const works: Record<string, readonly [work: () => Promise<Response>, status: number]> = {
      login: [() => stack.request('/v1/login', json({ username: user.username, password, client_id: 'app' })), 200],
      refresh: [refresh('first'), 200],
      replay: [refresh('first'), 200],
      logout: [() => stack.request('/v1/logout', json({ refresh_token })), 204],
      'live check': [verify, 204],
      'cached check': [verify, 204],
      introspection: [() => stack.request('/oauth/introspect', introspect), 200],
      'revocation of an access token': [
        () => stack.request('/oauth/revoke', form({ token: access_token, client_id: 'app' })),
        200,
      ],
    }
    if (name === 'replay') await refresh('first')()
    if (name === 'cached check') await verify()
    const [work, status] = works[name] ?? [verify, 0]
    const cost = await costOf(work, status)
    console.log(`${name}: ${cost.commands} commands, ${cost.bytes} bytes sent`)
    expect(cost.commands).toBeLessThanOrEqual(commands)
    expect(cost.bytes).toBeLessThanOrEqual(bytes)
  })
})

it(`the Worker weighs at most ${WORKER_LIMIT_KIB} KiB`, async () => {
  const { folder, modules } = inject('clockWorker')
  const files = await Promise.all(modules.map((name) => readFile(join(folder, name))))
  const kib = files.reduce((sum, file) => sum + gzipSync(file).length, 0) / 1024
  console.log(`the Worker, gzipped file by file: ${kib.toFixed(1)} KiB`)
  expect(kib).toBeGreaterThan(100)
  expect(kib).toBeLessThanOrEqual(WORKER_LIMIT_KIB)
})
