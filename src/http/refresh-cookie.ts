/** The refresh token of browsers: a cookie that no script can read. RFC 10017 section 6.1.3.2. */
import { getCookie, setCookie } from 'hono/cookie'
import type { CookieOptions, CookiePrefixOptions } from 'hono/utils/cookie'
import type { RequestContext } from './context.ts'

const NAME = 'refresh_token'

/** On a plain-http localhost some browsers keep neither `Secure` nor prefixed cookies, so there it has neither. */
function attributes(issuer: string): CookieOptions & { prefix?: CookiePrefixOptions } {
  const common = { httpOnly: true, sameSite: 'Strict', path: '/' } as const
  return issuer.startsWith('https:') ? { ...common, secure: true, prefix: 'host' } : common
}

/** As it goes over the wire. */
export function refreshCookieName(issuer: string): string {
  return attributes(issuer).prefix ? `__Host-${NAME}` : NAME
}

export function readRefreshCookie(c: RequestContext, issuer: string): string | undefined {
  const { prefix } = attributes(issuer)
  return prefix ? getCookie(c, NAME, prefix) : getCookie(c, NAME)
}

export function setRefreshCookie(c: RequestContext, issuer: string, token: string, maxAgeSeconds: number): void {
  setCookie(c, NAME, token, { ...attributes(issuer), maxAge: maxAgeSeconds })
}

export function clearRefreshCookie(c: RequestContext, issuer: string): void {
  setCookie(c, NAME, '', { ...attributes(issuer), maxAge: 0 })
}
