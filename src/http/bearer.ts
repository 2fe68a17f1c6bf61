import { failed, ok, type Result } from '../failure.ts'
import type { RequestContext } from './context.ts'

/** The access token of the `Authorization` header. RFC 6750 section 2.1; the scheme's name is case-insensitive. */
export function readBearer(c: RequestContext): Result<string, { reason: 'token_missing' }> {
  const token = /^Bearer +(\S+) *$/i.exec(c.req.header('Authorization') ?? '')?.[1]
  return token ? ok(token) : failed({ reason: 'token_missing' })
}
