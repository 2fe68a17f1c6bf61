/**
 * better-auth: sessions in Redis by its own secondary storage, users in SQLite in memory. One set of users and sessions behind
 * four configurations, each at a path of its own:
 *
 * | path | what differs |
 * | --- | --- |
 * | `/check` | nothing: a session is looked up in Redis |
 * | `/cached` | `cookieCache`: for five minutes the cookie itself is believed |
 * | `/refresh` | `updateAge: 0`: each look-up prolongs the session |
 * | `/login` | passwords are hashed as it does by itself; in the others they are not hashed, so that sessions are cheap to make |
 */
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { redisStorage } from '@better-auth/redis-storage'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { Redis } from 'ioredis'
import { serve } from './serve.ts'

const unhashed = { hash: async (password: string) => password, verify: async () => true }
const week = 60 * 60 * 24 * 7

serve(async ({ redisUrl, url }) => {
  const database = new DatabaseSync(':memory:')
  const secondaryStorage = redisStorage({ client: new Redis(redisUrl) })

  function configure(path: string, { updateAge = 86_400, cookieCache = false, hashed = false } = {}) {
    return {
      baseURL: url,
      basePath: path,
      secret: 'only-for-this-benchmark-0123456789',
      database,
      secondaryStorage,
      emailAndPassword: { enabled: true, ...(hashed ? {} : { password: unhashed }) },
      session: { expiresIn: week, updateAge, cookieCache: { enabled: cookieCache } },
      rateLimit: { enabled: false },
      telemetry: { enabled: false },
      logger: { disabled: true },
    }
  }

  const configurations = {
    '/check': configure('/check'),
    '/cached': configure('/cached', { cookieCache: true }),
    '/refresh': configure('/refresh', { updateAge: 0 }),
    '/login': configure('/login', { hashed: true }),
  }
  await (await getMigrations(configurations['/check'])).runMigrations()
  const handlers = Object.entries(configurations).map(
    ([path, configuration]) => [path, toNodeHandler(betterAuth(configuration))] as const,
  )
  return createServer((request, response) => {
    const found = handlers.find(([path]) => request.url?.startsWith(`${path}/`))
    if (found) void found[1](request, response)
    else response.writeHead(404).end()
  })
})
