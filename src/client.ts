/** The applications that may use the service, and how `CLIENTS` describes them. `wrangler.toml` explains each member. */
import { base64url } from 'jose'
import { z } from 'zod'
import { jsonText } from './json-text.ts'

/** An application that signs users in, or a service that asks about tokens. RFC 6749 section 2. */
export interface Client {
  readonly id: string
  /** `browser` holds its refresh token in a cookie, `native` in its own storage; `service` signs nobody in. */
  readonly kind: 'browser' | 'native' | 'service'
  /** Exact origins of a browser client; empty for the others. */
  readonly origins: readonly string[]
  /** What `aud` its access tokens carry. */
  readonly audiences: readonly string[]
  /** What `scope` its access tokens carry, if any. */
  readonly scope?: string | undefined
  /** What its access tokens are: JWTs that anybody can verify, or references that only this service can read. */
  readonly accessToken: 'jwt' | 'opaque'
  /** Whether a service may open sessions for users that it has authenticated itself. */
  readonly opensSessions: boolean
  /** SHA-256 of the secret of a confidential client: every service, and a native client that runs on a server. */
  readonly secretDigest?: Uint8Array<ArrayBuffer> | undefined
}

/** SHA-256 of nothing, base64url: what a script makes of a secret that it could not read. */
const EMPTY_SHA256 = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'

/** https, unless it is this machine. */
export function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
}

/** An origin (scheme, host, port and nothing more), https unless it is this machine. */
export const origin = z.string().superRefine((value, ctx) => {
  if (value.includes('*')) return ctx.addIssue(`${value}: a wildcard origin is never accepted`)
  const url = URL.parse(value)
  if (!url) return ctx.addIssue('must be a URL such as https://auth.example.com')
  if (!isSafe(url)) return ctx.addIssue(`${value}: must be https (plain http only on localhost)`)
  if (url.origin !== value) return ctx.addIssue(`${value}: must be an origin alone, as in ${url.origin}`)
})

const digest = z.string().transform((value, ctx) => {
  const encoded = /^sha256:([\w-]{43})$/.exec(value)?.[1]
  if (encoded === EMPTY_SHA256) ctx.addIssue('is the digest of an empty secret')
  else if (encoded) return new Uint8Array(base64url.decode(encoded))
  else ctx.addIssue('must be "sha256:" and the SHA-256 of the secret in base64url')
  return z.NEVER
})

/** At most 20 characters, so that a client id can never be a user id, which has 22 (RFC 9068 section 5). */
const clientId = z.string().regex(/^[a-z][a-z0-9-]{0,19}$/, 'must be 1 to 20 of a-z, 0-9 and "-", a letter first')

const client = z
  .strictObject({
    id: clientId,
    kind: z.enum(['browser', 'native', 'service']),
    origins: z.array(origin).default([]),
    audiences: z.array(z.string().min(1)).min(1),
    scope: z
      .string()
      .regex(/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/, 'must be space-separated scope tokens')
      .optional(),
    access_token: z.enum(['jwt', 'opaque']).default('jwt'),
    opens_sessions: z.boolean().default(false),
    secret_digest: digest.optional(),
  })
  .superRefine((value, ctx) => {
    const isBrowser = value.kind === 'browser'
    const isService = value.kind === 'service'
    if (isBrowser && value.origins.length === 0) ctx.addIssue(`${value.id}: a browser client needs its origins`)
    if (!isBrowser && value.origins.length > 0) ctx.addIssue(`${value.id}: only a browser client has origins`)
    if (isService && !value.secret_digest) ctx.addIssue(`${value.id}: a service client needs a secret_digest`)
    if (isBrowser && value.secret_digest) ctx.addIssue(`${value.id}: a browser client can keep no secret`)
    if (isService && value.access_token === 'opaque')
      ctx.addIssue(`${value.id}: a service client gets no access tokens`)
    if (!isService && value.opens_sessions)
      ctx.addIssue(`${value.id}: only a service client opens sessions for users that it has authenticated`)
  })
  .transform(({ secret_digest, access_token, opens_sessions, ...rest }): Client => ({
    ...rest,
    accessToken: access_token,
    opensSessions: opens_sessions,
    secretDigest: secret_digest,
  }))

export const clients = jsonText
  .pipe(z.array(client).min(1))
  .refine((list) => new Set(list.map(({ id }) => id)).size === list.length, 'has two clients with the same id')
