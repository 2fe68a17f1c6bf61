/** What a sign-in or a refresh hands out: an access token and the session's current refresh token. */
import type { Client } from '../client.ts'
import { namesOf } from '../names.ts'
import type { Parts } from '../parts.ts'
import type { SessionGrant } from '../store/store.ts'
import { signAccessToken, type AccessClaims } from './access.ts'
import type { KeyRing } from './keyring.ts'
import { mintOpaqueToken } from './opaque.ts'
import { mintId, mintRefreshToken, type RefreshToken } from './refresh.ts'

export interface SessionTokens {
  readonly client: Client
  readonly sid: string
  readonly scope?: string | undefined
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly refreshToken: string
  readonly refreshExpiresInSeconds: number
}

interface Issue {
  readonly ring: KeyRing
  readonly grant: SessionGrant
  /** The generation that the client holds from now on. */
  readonly refreshToken: RefreshToken
  /** The time at which the session was granted. */
  readonly nowMs: number
  /** Less than the client's own scope, if it asked for less. */
  readonly scope?: string | undefined
}

/** No access token outlives its session. */
export async function issueTokens(
  parts: Pick<Parts, 'config' | 'macKeys' | 'opaqueKeys' | 'random'>,
  { ring, grant, refreshToken, nowMs, scope }: Issue,
): Promise<SessionTokens> {
  const { config, macKeys, opaqueKeys, random } = parts
  const client = config.clients.find(({ id }) => id === grant.clientId)
  if (!client) throw new Error(`client ${grant.clientId} of a live session is not configured`)
  const { userId, sid } = refreshToken
  const iat = seconds(nowMs)
  const remainingSeconds = seconds(grant.lastsUntilMs - nowMs)
  const expiresInSeconds = Math.min(config.accessTtlSeconds, remainingSeconds)
  const ids = { sid, jti: mintId(random), iat, exp: iat + expiresInSeconds }
  const grantedScope = scope ?? client.scope
  const signed = (): AccessClaims => ({
    iss: config.issuer,
    sub: grant.subject ?? userId,
    aud: oneOrMany(client.audiences),
    client_id: client.id,
    auth_time: seconds(grant.authAtMs),
    amr: grant.amr === '' ? undefined : namesOf(grant.amr),
    roles: namesOf(grant.roles),
    scope: grantedScope,
    ...ids,
  })
  return {
    client,
    sid,
    scope: grantedScope,
    accessToken:
      client.accessToken === 'opaque'
        ? await mintOpaqueToken({ userId, ...ids }, opaqueKeys)
        : await signAccessToken(signed(), ring),
    expiresInSeconds,
    refreshToken: await mintRefreshToken(refreshToken, macKeys),
    refreshExpiresInSeconds: remainingSeconds,
  }
}

/** RFC 7519 section 4.1.3: a single audience is a string. */
export function oneOrMany(audiences: readonly string[]): string | string[] {
  const [first] = audiences
  return audiences.length === 1 && first !== undefined ? first : [...audiences]
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
