/** Middleware for Hono, in any runtime. */
import type { Context, MiddlewareHandler } from 'hono'
import { admit, checkRequirements, readBearer, type Requirements } from './answer.ts'
import type { Accepted } from './result.ts'
import type { WaitUntil } from './shared-call.ts'
import type { Verifier } from './verifier.ts'

export type { Requirements } from './answer.ts'

/** What a handler behind {@link requireToken} finds: `c.get('token')`. */
export interface TokenEnv {
  Variables: { token: Accepted }
}

/**
 * Lets requests through that carry a good access token in their `Authorization` header, with every scope and role that
 * is required. Others are answered: 401 and 403 as RFC 6750 section 3 has it, 503 when the token cannot be judged.
 */
export function requireToken(verifier: Verifier, requirements: Requirements = {}): MiddlewareHandler<TokenEnv> {
  checkRequirements(requirements)
  return async (c, next) => {
    const token = readBearer(c.req.header('Authorization'))
    const result = token === undefined ? undefined : await verifier.verify(token, { waitUntil: waitUntilOf(c) })
    const admission = admit(result, requirements)
    if (!admission.ok) return c.body(admission.answer.body, admission.answer.status, { ...admission.answer.headers })
    c.set('token', admission.token)
    return next()
  }
}

/** Hono throws where the runtime has no such context, which is everywhere but in Workers. */
function waitUntilOf(c: Context<TokenEnv>): WaitUntil | undefined {
  try {
    const { executionCtx } = c
    // An adapter may hand over anything for a context.
    return typeof executionCtx?.waitUntil === 'function' ? (promise) => executionCtx.waitUntil(promise) : undefined
  } catch {
    return undefined
  }
}
