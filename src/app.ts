/** Middleware order and the route table, on one screen. */
import { Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { etag } from 'hono/etag'
import { secureHeaders } from 'hono/secure-headers'
import { addAdminRoutes } from './endpoints/admin/routes.ts'
import { accountsEndpoint, accountsOperation } from './endpoints/accounts.ts'
import { healthEndpoint, healthOperation, readyEndpoint, readyOperation } from './endpoints/health.ts'
import { introspectEndpoint, introspectOperation } from './endpoints/introspect.ts'
import { jwksEndpoint, jwksOperation } from './endpoints/jwks.ts'
import { loginEndpoint, loginOperation } from './endpoints/login.ts'
import { logoutEndpoint, logoutOperation } from './endpoints/logout.ts'
import { metadataEndpoint, metadataOperation, openidOperation } from './endpoints/metadata.ts'
import { docsEndpoint, docsStyleEndpoint, openapiEndpoint, openapiOperation } from './endpoints/openapi.ts'
import { PAGE_FILES, pageEndpoint } from './endpoints/page.ts'
import { passwordEndpoint, passwordOperation } from './endpoints/password.ts'
import { refreshEndpoint, refreshOperation } from './endpoints/refresh.ts'
import { revocationsEndpoint, revocationsOperation } from './endpoints/revocations.ts'
import { revokeEndpoint, revokeOperation } from './endpoints/revoke.ts'
import {
  endOtherSessionsEndpoint,
  endOtherSessionsOperation,
  endSessionEndpoint,
  endSessionOperation,
  listSessionsEndpoint,
  listSessionsOperation,
} from './endpoints/sessions.ts'
import { tokenEndpoint, tokenOperation } from './endpoints/token.ts'
import { verifyEndpoint, verifyOperation } from './endpoints/verify.ts'
import { StoreUnavailable, type Failure } from './failure.ts'
import { allowedMethods } from './http/allowed-methods.ts'
import type { Env, RequestContext } from './http/context.ts'
import { clientCors, publicCors } from './http/cors.ts'
import { finishAll } from './http/finish.ts'
import { oauthError } from './http/oauth-error.ts'
import { describe } from './http/operation.ts'
import { problem } from './http/problem.ts'
import { identify, tellRequestId } from './http/request-id.ts'
import type { Parts } from './parts.ts'

/** No call needs more: a password has at most 256 characters, a token a few hundred. */
const BODY_LIMIT_BYTES = 16 * 1024

export function createApp(parts: Parts): Hono<Env> {
  const app = new Hono<Env>()

  app.use(identify(parts.log))
  const isHttps = parts.config.issuer.startsWith('https:')
  const secured = secureHeaders({
    strictTransportSecurity: isHttps && 'max-age=63072000',
    xFrameOptions: 'DENY',
    // These are for browsers of the past, or for pages only.
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  })
  // Before what browsers need: gateways ask here, for each of their requests. A gateway passes on the length of a body that it
  // keeps to itself: none is read.
  const verify = [unlessEmpty(secured), refuseTokensInQuery, verifyEndpoint(parts)] as const
  app.get('/v1/verify', describe(verifyOperation), ...verify)
  app.all('/v1/verify', ...verify)
  app.use(finishAll)
  app.use(tellRequestId)
  app.use(secured)
  app.use('/.well-known/*', publicCors)
  app.use('/openapi.json', publicCors)
  app.use('/v1/*', clientCors(parts.config.clients))
  app.use(refuseTokensInQuery)
  const limited = bodyLimit({ maxSize: BODY_LIMIT_BYTES, onError: (c) => refuse(c, { reason: 'body_too_large' }) })
  app.post('/v1/accounts', limited, describe(accountsOperation), accountsEndpoint(parts))
  app.post('/v1/login', limited, describe(loginOperation), loginEndpoint(parts))
  app.post('/v1/refresh', limited, describe(refreshOperation), refreshEndpoint(parts))
  app.post('/v1/logout', limited, describe(logoutOperation), logoutEndpoint(parts))
  app.get('/v1/sessions', describe(listSessionsOperation), listSessionsEndpoint(parts))
  app.delete('/v1/sessions', describe(endOtherSessionsOperation), endOtherSessionsEndpoint(parts))
  app.delete('/v1/sessions/:sid', describe(endSessionOperation), endSessionEndpoint(parts))
  app.post('/v1/password', limited, describe(passwordOperation), passwordEndpoint(parts))
  app.post('/oauth/token', limited, describe(tokenOperation), tokenEndpoint(parts))
  app.post('/oauth/revoke', limited, describe(revokeOperation), revokeEndpoint(parts))
  app.post('/oauth/introspect', limited, describe(introspectOperation), introspectEndpoint(parts))
  app.get('/v1/revocations', describe(revocationsOperation), revocationsEndpoint(parts))
  app.get('/.well-known/jwks.json', etag(), describe(jwksOperation), jwksEndpoint(parts))
  app.get('/.well-known/oauth-authorization-server', etag(), describe(metadataOperation), metadataEndpoint(parts))
  app.get('/.well-known/openid-configuration', etag(), describe(openidOperation), metadataEndpoint(parts))
  app.get('/openapi.json', etag(), describe(openapiOperation), openapiEndpoint(app, parts))
  app.get('/docs', etag(), docsEndpoint(app, parts))
  app.get('/docs.css', etag(), docsStyleEndpoint)
  addAdminRoutes(app, parts, limited)
  app.get('/healthz', describe(healthOperation), healthEndpoint)
  app.get('/readyz', describe(readyOperation), readyEndpoint(parts))

  for (const [path, allow] of allowedMethods(app.routes))
    app.all(path, (c) => refuse(c, { reason: 'method_not_allowed', allow }))
  for (const file of PAGE_FILES) app.get(file.path, etag(), pageEndpoint(parts, file))
  app.notFound((c) => refuse(c, { reason: 'not_found' }))
  app.onError((error, c) => {
    if (error instanceof StoreUnavailable) {
      c.get('log').event('store.unavailable', { path: c.req.path, detail: error.message })
      return refuse(c, { reason: 'unavailable' })
    }
    // The kind of error and where it was thrown, not its text, which may repeat what the caller sent.
    c.get('log').event('request.failed', { path: c.req.path, detail: error.name, at: firstFrame(error) })
    return refuse(c, { reason: 'internal' })
  })
  return app
}

/** What no endpoint refuses by itself, in the words of the interface that was called. */
function refuse(c: RequestContext, failure: Failure): Response {
  return c.req.path.startsWith('/oauth/') ? oauthError(c, failure) : problem(c, failure)
}

/** Tokens in addresses end up in logs, histories and Referer headers. OWASP ASVS 14.2.1. */
const refuseTokensInQuery: MiddlewareHandler<Env> = async (c, next) => {
  if (!c.req.url.includes('?')) return next()
  const named = ['access_token', 'refresh_token', 'token', 'password', 'client_secret'].some(
    (name) => c.req.query(name) !== undefined,
  )
  return named ? refuse(c, { reason: 'token_in_query' }) : next()
}

/** Security headers are for browsers. A gateway keeps an empty yes to itself, and may pass a refusal on. */
function unlessEmpty(secured: MiddlewareHandler): MiddlewareHandler<Env> {
  return async (c, next) => {
    await next()
    if (c.res.status === 204) return
    c.header('X-Request-Id', c.get('requestId'))
    await secured(c, () => Promise.resolve())
  }
}

function firstFrame({ stack }: Error): string | undefined {
  return stack
    ?.split('\n')
    .find((line) => line.startsWith('    at '))
    ?.trim()
}
