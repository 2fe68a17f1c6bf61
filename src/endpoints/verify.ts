import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readBearer } from '../http/bearer.ts'
import type { RequestContext } from '../http/context.ts'
import { problem } from '../http/problem.ts'
import type { Parts } from '../parts.ts'
import { kidOf, verifyAccessToken } from '../tokens/access.ts'

/**
 * ANY /v1/verify: for gateways, which ask before they let a request through.
 *
 * `?audience=` narrows it to tokens meant for one service; `?fresh`, but for `0` and `false`, demands the store's own answer.
 */
export function verifyEndpoint(parts: Parts) {
  return async (c: RequestContext): Promise<Response> => {
    const bearer = readBearer(c)
    if (!bearer.ok) return problem(c, bearer.failure)
    const verified = await verify(parts, {
      accessToken: bearer.value,
      audience: c.req.query('audience'),
      fresh: !['0', 'false', undefined].includes(c.req.query('fresh')),
    })
    if (!verified.ok) return problem(c, verified.failure)
    const { userId, sid, roles, how } = verified.value
    if (how === 'stale') c.get('log').event('check.stale', { user_id: userId, session_id: sid })
    return c.body(null, 204, {
      'Cache-Control': 'no-store',
      'X-User-Id': userId,
      'X-Session-Id': sid,
      'X-Roles': roles,
      'X-Session-Check': how,
    })
  }
}

interface Verified {
  readonly userId: string
  readonly sid: string
  readonly roles: string
  readonly how: 'live' | 'cached' | 'stale'
}

/** Signature and claims first, which cost no store call; then whether the session is still there. */
async function verify(
  { config, keyRing, clock, liveCheck }: Pick<Parts, 'config' | 'keyRing' | 'clock' | 'liveCheck'>,
  { accessToken, audience, fresh }: { accessToken: string; audience: string | undefined; fresh: boolean },
): Promise<Result<Verified, Failure>> {
  const audiences = audience === undefined ? config.audiences : [audience]
  const expected = { issuer: config.issuer, audiences, nowMs: clock.nowMs() }
  const claims = await verifyAccessToken(accessToken, await keyRing.current(kidOf(accessToken)), expected)
  if (!claims.ok) return claims
  const { sub: userId, sid, jti } = claims.value
  const answer = await liveCheck.check({ userId, sid, jti }, { fresh })
  if (!answer.live) return failed({ reason: 'token_invalid' })
  return ok({ userId, sid, roles: answer.roles, how: answer.how })
}
