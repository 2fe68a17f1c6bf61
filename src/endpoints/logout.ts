import { z } from 'zod'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readBearer } from '../http/bearer.ts'
import { readJson } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import { readBrowserClients } from '../http/origin.ts'
import { problem } from '../http/problem.ts'
import { clearRefreshCookie, readRefreshCookie } from '../http/refresh-cookie.ts'
import type { Parts } from '../parts.ts'
import type { Ending } from '../store/store.ts'
import { kidOf, verifyAccessToken, type AccessClaims } from '../tokens/access.ts'
import { familyDigest, parseRefreshToken } from '../tokens/refresh.ts'

const request = z.object({ refresh_token: z.string().optional() })

/** POST /v1/logout: ends the session of a refresh token (cookie or body), else that of an access token. */
export function logoutEndpoint(parts: Parts) {
  const { clients, issuer } = parts.config
  return async (c: RequestContext): Promise<Response> => {
    const body = await readJson(c, request)
    if (!body.ok) return problem(c, body.failure)
    const bearer = readBearer(c)
    const cookie = readRefreshCookie(c, issuer)
    const inBrowser = readBrowserClients(c, clients).ok
    if (cookie !== undefined && !inBrowser) return problem(c, { reason: 'origin_foreign' })

    const ended = await logout(parts, {
      refreshToken: body.value.refresh_token ?? cookie,
      accessToken: bearer.ok ? bearer.value : undefined,
      // A browser whose cookie is gone has nothing left to end.
      mayHoldNothing: inBrowser,
    })
    if (!ended.ok) return problem(c, ended.failure)
    if (ended.value) c.get('log').event('logout', ended.value)
    if (inBrowser) {
      clearRefreshCookie(c, issuer)
      c.header('Clear-Site-Data', '"cache", "storage"')
    }
    c.header('Cache-Control', 'no-store')
    return c.body(null, 204)
  }
}

interface Held {
  readonly refreshToken: string | undefined
  readonly accessToken: string | undefined
  readonly mayHoldNothing: boolean
}

type Ended = { readonly user_id: string; readonly session_id: string; readonly detail: string } | undefined

/** Ends what the tokens stand for. A refresh token of any generation will do, since it only gives something up. */
async function logout(
  parts: Parts,
  { refreshToken, accessToken, mayHoldNothing }: Held,
): Promise<Result<Ended, Failure>> {
  const { store, clock, macKeys, liveCheck } = parts
  const nowMs = clock.nowMs()
  const token = refreshToken === undefined ? undefined : await parseRefreshToken(refreshToken, macKeys)
  const claims = accessToken === undefined ? undefined : await readClaims(parts, accessToken, nowMs)

  let ending: Ending
  if (token?.ok) {
    const { userId, sid } = token.value
    const own = claims?.ok && claims.value.sub === userId ? accessOf(claims.value) : undefined
    ending = { userId, sid, familyDigest: await familyDigest(token.value), accessToken: own, nowMs }
  } else if (claims?.ok) {
    const { sub: userId, sid } = claims.value
    ending = { userId, sid, accessToken: accessOf(claims.value), nowMs }
  } else if (claims) {
    return claims
  } else {
    // RFC 7009 section 2.2: a token that means nothing is as good as ended.
    return token || mayHoldNothing ? ok(undefined) : failed({ reason: 'token_missing' })
  }
  const outcome = await store.endSession(ending)
  liveCheck.forget(ending.userId)
  return ok({ user_id: ending.userId, session_id: ending.sid, detail: outcome })
}

async function readClaims({ config, keyRing }: Parts, accessToken: string, nowMs: number) {
  const { issuer, audiences } = config
  return verifyAccessToken(accessToken, await keyRing.current(kidOf(accessToken)), { issuer, audiences, nowMs })
}

function accessOf({ jti, exp }: AccessClaims) {
  return { jti, expMs: exp * 1000 }
}
