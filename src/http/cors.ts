/** Which pages of other origins may read the answers: the Fetch standard's CORS protocol. */
import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { Client } from '../client.ts'
import type { Env } from './context.ts'

/** How long a browser may remember a preflight. Chromium remembers none for longer. */
const PREFLIGHT_SECONDS = 7200

/**
 * For calls that go with the cookie: exactly the origins of the browser clients, and for any other no CORS header at all
 * (OWASP ASVS 3.4.2).
 *
 * Not for `/v1/verify`: a gateway may pass an `OPTIONS` request on with its method and its origin, and would take the
 * answer to a preflight for consent.
 */
export function clientCors(clients: readonly Client[]): MiddlewareHandler<Env> {
  const origins = new Set(clients.filter(({ kind }) => kind === 'browser').flatMap((client) => client.origins))
  const allowed = cors({
    origin: [...origins],
    credentials: true,
    allowMethods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key'],
    exposeHeaders: ['Retry-After', 'WWW-Authenticate', 'X-Request-Id'],
    maxAge: PREFLIGHT_SECONDS,
  })
  return async (c, next) => {
    // hono's own would tell an unlisted origin everything but its name.
    if (origins.has(c.req.header('Origin') ?? '')) return allowed(c, next)
    // Before there is an answer: to one that is made already, hono adds by making another.
    c.header('Vary', 'Origin')
    await next()
  }
}

/** For public documents, which pages of every origin may read, without credentials. */
export const publicCors: MiddlewareHandler<Env> = cors({
  origin: '*',
  allowMethods: ['GET', 'HEAD'],
  maxAge: PREFLIGHT_SECONDS,
})
