/**
 * The id of a request, by which its answer, the log and the audit trail name it.
 *
 * hono's own middleware makes a `Headers` object at once, which a yes of `/v1/verify` would pay for and has no use for.
 */
import type { MiddlewareHandler } from 'hono'
import type { Log } from '../log.ts'
import type { Env } from './context.ts'

/** An id of the caller's choice that may stand in a log. */
const PRESENTED = /^[\w=-]{1,255}$/

/** Gives the request its id, and a log that tells it: the caller's own id if there is a fit one. */
export function identify(log: Log): MiddlewareHandler<Env> {
  return (c, next) => {
    const presented = c.req.header('X-Request-Id') ?? ''
    const requestId = PRESENTED.test(presented) ? presented : crypto.randomUUID()
    c.set('requestId', requestId)
    c.set('log', log.with({ request_id: requestId }))
    return next()
  }
}

export const tellRequestId: MiddlewareHandler<Env> = (c, next) => {
  c.header('X-Request-Id', c.get('requestId'))
  return next()
}
