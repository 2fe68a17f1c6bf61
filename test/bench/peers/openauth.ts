/**
 * OpenAuth. It has no storage for Redis of its own: this one needs one command for each of its calls. `/check` is what a
 * service does with its client library, by the signature alone. It has no sign-out.
 */
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { issuer } from '@openauthjs/openauth'
import { createClient } from '@openauthjs/openauth/client'
import type { StorageAdapter } from '@openauthjs/openauth/storage/storage'
import { createSubjects } from '@openauthjs/openauth/subject'
import { Hono } from 'hono'
import { Redis } from 'ioredis'
import { z } from 'zod'
import { serve } from './serve.ts'

const subjects = createSubjects({ user: z.object({ id: z.string() }) })

function redisStorage(redis: Redis): StorageAdapter {
  const keyOf = (parts: string[]) => `openauth:${parts.join('\u001f')}`
  return {
    async get(parts) {
      const stored = await redis.get(keyOf(parts))
      return stored === null ? undefined : JSON.parse(stored)
    },
    async set(parts, value, expiry) {
      const text = JSON.stringify(value)
      if (expiry) await redis.set(keyOf(parts), text, 'PXAT', expiry.getTime())
      else await redis.set(keyOf(parts), text)
    },
    async remove(parts) {
      await redis.del(keyOf(parts))
    },
    async *scan(prefix) {
      for await (const keys of redis.scanStream({ match: `${keyOf(prefix)}*` }))
        for (const key of keys) {
          const stored = await redis.get(key)
          if (stored !== null) yield [key.slice('openauth:'.length).split('\u001f'), JSON.parse(stored)]
        }
    },
  }
}

serve(({ redisUrl, url }) => {
  const app = issuer({
    subjects,
    storage: redisStorage(new Redis(redisUrl)),
    ttl: { access: 300, refresh: 60 * 60 * 24 * 7 },
    providers: {
      // A sign-in that asks nothing.
      plain: { type: 'plain', init: () => undefined, client: async ({ params }) => ({ id: params['user'] ?? '' }) },
    },
    success: (response, { id }) => response.subject('user', { id }),
  })
  const client = createClient({ clientID: 'app', issuer: url })
  const service = new Hono()
  service.get('/check', async (c) => {
    const verified = await client.verify(subjects, c.req.header('authorization')?.slice('Bearer '.length) ?? '')
    return verified.err ? c.body(null, 401) : c.body(null, 204)
  })
  service.route('/', app)
  return createServer(getRequestListener(service.fetch))
})
