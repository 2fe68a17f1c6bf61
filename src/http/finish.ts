/**
 * Work that goes on to its end when its client hangs up, so that no turn at the hasher, trial of the store or call that others
 * wait for stays open. The runtime would end it with its request.
 */
import type { MiddlewareHandler } from 'hono'
import type { Env, RequestContext } from './context.ts'

export function finish<T>(c: RequestContext, work: Promise<T>): Promise<T> {
  c.executionCtx.waitUntil(work.catch(() => undefined))
  return work
}

/** All that is left to do for a request. */
export const finishAll: MiddlewareHandler<Env> = (c, next) => finish(c, next())
