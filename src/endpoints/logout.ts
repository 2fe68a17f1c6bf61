import { z } from 'zod'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { readActor } from '../http/actor.ts'
import { readBearer } from '../http/bearer.ts'
import { readJson } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import { readBrowserClients } from '../http/origin.ts'
import { problem } from '../http/problem.ts'
import { clearRefreshCookie, readRefreshCookie } from '../http/refresh-cookie.ts'
import type { Parts } from '../parts.ts'
import type { Actor } from '../store/audit.ts'
import type { Ending } from '../store/store.ts'
import { readAccessToken } from '../tokens/active-token.ts'
import { familyDigest, parseRefreshToken } from '../tokens/refresh.ts'

const request = z.object({ refresh_token: z.string().optional() })

/** POST /v1/logout: ends the sessions of all tokens that the request shows: in the body, the cookie and the header. */
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
      refreshTokens: [body.value.refresh_token, cookie].filter((token) => token !== undefined),
      accessToken: bearer.ok ? bearer.value : undefined,
      // A browser whose tokens have all run out has nothing left to end.
      mayHoldNothing: inBrowser,
      actor: readActor(c, parts.config, 'user:'),
    })
    if (!ended.ok) return problem(c, ended.failure)
    for (const event of ended.value) c.get('log').event('logout', event)
    if (inBrowser) {
      clearRefreshCookie(c, issuer)
      c.header('Clear-Site-Data', '"cache", "storage"')
    }
    c.header('Cache-Control', 'no-store')
    return c.body(null, 204)
  }
}

interface Held {
  readonly refreshTokens: readonly string[]
  readonly accessToken: string | undefined
  readonly mayHoldNothing: boolean
  /** A user: whose session it is, the tokens tell. */
  readonly actor: Actor
}

/** As the log tells it. */
type Ended = { readonly user_id: string; readonly session_id: string; readonly detail: string }

/** Ends what the tokens stand for: one session as a rule, since they are as a rule of one. */
async function logout(
  parts: Parts,
  { refreshTokens, accessToken, mayHoldNothing, actor }: Held,
): Promise<Result<Ended[], Failure>> {
  const { store, clock, liveCheck } = parts
  const nowMs = clock.nowMs()
  const endings = await readEndings(parts, refreshTokens, nowMs)
  const bearer = accessToken === undefined ? undefined : await readAccessToken(parts, accessToken)
  if (bearer?.ok) {
    const { userId, sid, jti, exp } = bearer.value
    endings.set(sid, { ...(endings.get(sid) ?? { userId, sid, nowMs }), accessToken: { jti, expMs: exp * 1000 } })
  }
  if (endings.size === 0 && !mayHoldNothing) {
    if (bearer && !bearer.ok) return bearer
    // RFC 7009 section 2.2: a refresh token that means nothing is as good as ended.
    return refreshTokens.length > 0 ? ok([]) : failed({ reason: 'token_missing' })
  }
  const ended: Ended[] = []
  for (const ending of endings.values()) {
    const { userId, sid } = ending
    try {
      ended.push({
        user_id: userId,
        session_id: sid,
        detail: await store.endSession({ ...ending, actor: { ...actor, by: `user:${userId}` } }),
      })
    } finally {
      // Even if the store gave no answer: it may have ended the session.
      liveCheck.forget(userId)
    }
  }
  return ok(ended)
}

/** By `sid`. A refresh token of any generation will do, since it only gives something up. */
async function readEndings(
  { macKeys }: Pick<Parts, 'macKeys'>,
  refreshTokens: readonly string[],
  nowMs: number,
): Promise<Map<string, Omit<Ending, 'actor'>>> {
  const endings = new Map<string, Omit<Ending, 'actor'>>()
  for (const presented of refreshTokens) {
    const token = await parseRefreshToken(presented, macKeys)
    if (!token.ok) continue
    const { userId, sid } = token.value
    endings.set(sid, { userId, sid, familyDigest: await familyDigest(token.value), nowMs })
  }
  return endings
}
