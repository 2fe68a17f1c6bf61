import { readBearer } from '../http/bearer.ts'
import type { RequestContext } from '../http/context.ts'
import { finish } from '../http/finish.ts'
import type { Operation } from '../http/operation.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'
import { checkAccessToken } from '../tokens/active-token.ts'

export const verifyOperation: Operation = {
  id: 'verify',
  tag: 'Tokens',
  summary: 'Check an access token, for a gateway',
  description: 'Every other method is answered alike, so a gateway may pass on that of the request it holds.',
  security: ['accessToken'],
  parameters: [
    { in: 'query', name: 'audience', description: 'The token must be meant for this service.' },
    { in: 'query', name: 'fresh', description: 'Unless `0` or `false`: nothing is answered from memory.' },
  ],
  success: {
    status: 204,
    description: 'The session is live.',
    headers: {
      'X-User-Id': 'The user.',
      'X-Session-Id': 'The session.',
      'X-Roles': 'The roles of the user, space-separated.',
      'X-Session-Check': 'How this is known: `live`, `cached` or `stale`.',
    },
  },
  failures: ['token_missing', 'token_invalid', 'unavailable'],
}

/**
 * ANY /v1/verify: for gateways, which ask before they let a request through.
 *
 * `?audience=` narrows it to tokens meant for one service; `?fresh`, but for `0` and `false`, demands the store's own answer.
 */
export function verifyEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    const bearer = readBearer(c)
    if (!bearer.ok) return problem(c, bearer.failure)
    const audience = c.req.query('audience')
    const checked = await checkAccessToken(parts, bearer.value, {
      audiences: audience === undefined ? parts.config.audiences : [audience],
      fresh: !['0', 'false', undefined].includes(c.req.query('fresh')),
      // What is answered from memory has no need of it, and would pay for it.
      keep: (work) => finish(c, work),
    })
    if (!checked.ok) return problem(c, checked.failure)
    const { userId, sub, sid, roles, how } = checked.value
    if (how === 'stale') c.get('log').event('check.stale', { user_id: userId, session_id: sid })
    // Made at once, and not header by header: this is asked more often than all the rest together.
    const headers = {
      'Cache-Control': 'no-store',
      'X-Request-Id': c.get('requestId'),
      'X-User-Id': sub,
      'X-Session-Id': sid,
      'X-Roles': roles,
      'X-Session-Check': how,
    }
    return new Response(null, { status: 204, headers })
  }
}
