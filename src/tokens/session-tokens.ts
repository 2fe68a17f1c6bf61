/** What a sign-in or a refresh hands out: an access token and the session's current refresh token. */
import type { Client } from '../config.ts'
import type { Parts } from '../parts.ts'
import type { SessionGrant } from '../store/store.ts'
import { signAccessToken } from './access.ts'
import type { KeyRing } from './keyring.ts'
import { mintId, mintRefreshToken, type RefreshToken } from './refresh.ts'

export interface SessionTokens {
  readonly client: Client
  readonly sid: string
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
}

/** No access token outlives its session. */
export async function issueTokens(
  { config, macKeys, random }: Pick<Parts, 'config' | 'macKeys' | 'random'>,
  { ring, grant, refreshToken, nowMs }: Issue,
): Promise<SessionTokens> {
  const { clientId, roles, authAtMs, lastsUntilMs } = grant
  const client = config.clients.find(({ id }) => id === clientId)
  if (!client) throw new Error(`client ${clientId} of a live session is not configured`)
  const now = seconds(nowMs)
  const remainingSeconds = seconds(lastsUntilMs - nowMs)
  const expiresInSeconds = Math.min(config.accessTtlSeconds, remainingSeconds)
  const [audience] = client.audiences
  const accessToken = await signAccessToken(
    {
      iss: config.issuer,
      sub: refreshToken.userId,
      aud: client.audiences.length === 1 && audience ? audience : [...client.audiences],
      client_id: client.id,
      iat: now,
      exp: now + expiresInSeconds,
      jti: mintId(random),
      sid: refreshToken.sid,
      auth_time: seconds(authAtMs),
      roles: roles === '' ? [] : roles.split(' '),
      scope: client.scope,
    },
    ring,
  )
  return {
    client,
    sid: refreshToken.sid,
    accessToken,
    expiresInSeconds,
    refreshToken: await mintRefreshToken(refreshToken, macKeys),
    refreshExpiresInSeconds: remainingSeconds,
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
