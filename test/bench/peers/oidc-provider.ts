/**
 * oidc-provider with an adapter for Redis. Its access tokens are opaque and there is no ID token, which is what costs it
 * least; a check is its introspection, signing out is the revocation of the refresh token. `/bench/session` makes what a
 * sign-in leaves: a grant with a refresh token and an access token, without the browser session of its own pages.
 */
import { createServer } from 'node:http'
import { Redis } from 'ioredis'
import { generateKeyPair, exportJWK } from 'jose'
import { Provider } from 'oidc-provider'
import { adapterFor } from './oidc-redis-adapter.ts'
import { serve } from './serve.ts'

const scope = 'offline_access'

serve(async ({ redisUrl, url }) => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const provider = new Provider(url, {
    adapter: adapterFor(new Redis(redisUrl)),
    clients: [
      {
        client_id: 'app',
        client_secret: 'secret',
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['https://app.example.com/callback'],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: ['only-for-this-benchmark'] },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
    ttl: { AccessToken: 300, Grant: 604_800, RefreshToken: 604_800 },
    rotateRefreshToken: true,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  })

  async function openSession(accountId: string) {
    const client = await provider.Client.find('app')
    const grant = new provider.Grant({ accountId, clientId: 'app' })
    grant.addOIDCScope(scope)
    const grantId = await grant.save()
    const common = { accountId, client, grantId, gty: 'authorization_code', scope }
    const refreshToken = new provider.RefreshToken({ ...common, iiat: Math.floor(Date.now() / 1000), rotations: 0 })
    const accessToken = new provider.AccessToken(common)
    return { refresh_token: await refreshToken.save(), access_token: await accessToken.save() }
  }

  const answer = provider.callback()
  return createServer((request, response) => {
    const user = /^\/bench\/session\/([^/]+)$/.exec(request.url ?? '')?.[1]
    if (user === undefined) void answer(request, response)
    else
      openSession(user).then(
        (tokens) => response.setHeader('content-type', 'application/json').end(JSON.stringify(tokens)),
        (error: unknown) => response.writeHead(500).end(String(error)),
      )
  })
})
