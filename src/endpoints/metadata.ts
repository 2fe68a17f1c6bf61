import { z } from 'zod'
import type { RequestContext } from '../http/context.ts'
import type { Operation } from '../http/operation.ts'
import type { Parts } from '../parts.ts'

/** What a public client and a client with a secret may use. */
const confidential = ['client_secret_basic', 'client_secret_post']
const anyClient = [...confidential, 'none']

const names = z.array(z.string())
const answer = z.object({
  issuer: z.string(),
  token_endpoint: z.string(),
  token_endpoint_auth_methods_supported: names,
  revocation_endpoint: z.string(),
  revocation_endpoint_auth_methods_supported: names,
  introspection_endpoint: z.string(),
  introspection_endpoint_auth_methods_supported: names,
  jwks_uri: z.string(),
  grant_types_supported: names,
  response_types_supported: names,
  subject_types_supported: names,
  id_token_signing_alg_values_supported: names,
  scopes_supported: names.optional(),
})

export const metadataOperation: Operation = {
  id: 'describeServer',
  tag: 'Discovery',
  summary: 'What stock OAuth clients look for',
  success: { status: 200, description: 'RFC 8414.', content: { 'application/json': answer } },
  failures: [],
}

export const openidOperation: Operation = {
  ...metadataOperation,
  id: 'describeProvider',
  summary: 'The same, where OpenID clients look for it',
}

/**
 * GET /.well-known/oauth-authorization-server and /.well-known/openid-configuration: what stock clients look for. RFC 8414.
 *
 * There is no authorization endpoint: users sign in at /v1/login. Response types are required nevertheless (section 2), and
 * `none` is the one that gives nothing; the two members about ID tokens are there for readers that insist on them.
 */
export function metadataEndpoint({ config }: Pick<Parts, 'config'>) {
  const { issuer, clients, signingAlg } = config
  const scopes = [...new Set(clients.flatMap(({ scope }) => scope?.split(' ') ?? []))]
  const metadata: z.infer<typeof answer> = {
    issuer,
    token_endpoint: `${issuer}/oauth/token`,
    token_endpoint_auth_methods_supported: anyClient,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: anyClient,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: confidential,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    grant_types_supported: ['refresh_token'],
    response_types_supported: ['none'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [signingAlg],
    // Members without values are left out: RFC 8414 section 3.2.
    ...(scopes.length > 0 && { scopes_supported: scopes }),
  }
  return (c: RequestContext): Response => c.json(metadata, 200, { 'Cache-Control': 'public, max-age=300' })
}
