/**
 * The only reader of the environment. Every variable is explained in `wrangler.toml`; this file says what is accepted.
 * All problems are reported at once, each with its variable's name and never with a secret's value.
 */
import { base64url } from 'jose'
import { z } from 'zod'
import { clients, isSafe, origin, type Client } from './client.ts'

export interface Config {
  readonly issuer: string
  /** 32 bytes from which the MAC, sealing and password keys are derived. */
  readonly secret: Uint8Array<ArrayBuffer>
  /** The secret before this one, still accepted. */
  readonly previousSecret?: Uint8Array<ArrayBuffer> | undefined
  readonly store: {
    readonly url: string
    readonly token: string
    readonly timeoutMs: number
    readonly buckets: number
    readonly checkReads: 'nearest' | 'primary'
  }
  readonly clients: readonly Client[]
  /** The audiences of all clients: whom the service's own tokens can be for. */
  readonly audiences: readonly string[]
  readonly registration: 'open' | 'closed'
  readonly signingAlg: 'ES256' | 'EdDSA' | 'RS256'
  /** How long a key signs before its successor does. */
  readonly keySigningPeriodSeconds: number
  /** How long a key is published before it signs. */
  readonly keyPublishAheadSeconds: number
  readonly passwordMinLength: number
  /** Base URL of the range interface where breached passwords are looked up; undefined for not at all. */
  readonly breachedPasswordsUrl?: string | undefined
  /** The request header in which the platform tells the client's address. */
  readonly clientAddressHeader: string
  readonly accessTtlSeconds: number
  readonly sessionsPerUser: number
  readonly idleSeconds: number
  readonly absoluteSeconds: number
  readonly replayWindowSeconds: number
  /** Of one session, in the long run; 0 for no limit. */
  readonly refreshesPerMinute: number
  readonly checkCacheSeconds: number
  readonly checkStaleSeconds: number
  /** The audit trail: how many events of it each bucket keeps, and how much of the addresses that they came from. */
  readonly audit: { readonly events: number; readonly address: 'truncated' | 'full' | 'off' }
}

/** The configuration, or everything that is wrong with it, one sentence each. */
export type ConfigResult =
  | { readonly ok: true; readonly value: Config }
  | { readonly ok: false; readonly problems: readonly string[] }

const SECRET_BYTES = 32
/** 32 random bytes hold fewer different values than this about once in 10^13 draws; typed-in "secrets" often do. */
const SECRET_DISTINCT_BYTES = 16
/** Row A7 of the conformance table: an access token lives at most ten minutes. */
const ACCESS_TTL_LIMIT_SECONDS = 600
const DAY_SECONDS = 86_400
/** A cursor of the revocation feed names a place in each bucket, and must fit into an address. */
const BUCKETS_LIMIT = 256
/** Every server has read the ring by then: it does so each minute, and half a minute after a reading that failed. */
const PUBLISH_AHEAD_LEAST_SECONDS = 120
const storeUrl = z.string().superRefine((value, ctx) => {
  const url = /^https?:\/\/[^\s/@?#]+\/?$/.test(value) ? URL.parse(value) : null
  if (!url) return ctx.addIssue('must be the REST URL of an Upstash database')
  if (!isSafe(url)) return ctx.addIssue('must be https (plain http only on localhost)')
})

const rangeInterface = z.string().transform((value, ctx) => {
  if (value === 'off') return undefined
  const url = /^[^\s@?#]+$/.test(value) ? URL.parse(value) : null
  if (url && isSafe(url)) return value.replace(/\/+$/, '')
  ctx.addIssue('must be "off" or an https URL such as https://api.pwnedpasswords.com (plain http only on localhost)')
  return z.NEVER
})

const secret = z.string().transform((value, ctx) => {
  const bytes = /^[\w-]+$/.test(value) ? base64url.decode(value) : new Uint8Array()
  if (bytes.length === SECRET_BYTES && new Set(bytes).size >= SECRET_DISTINCT_BYTES) return new Uint8Array(bytes)
  ctx.addIssue('must be 32 random bytes in base64url: make it with `openssl rand -base64 32 | tr +/ -_ | tr -d =`')
  return z.NEVER
})

/** A whole number in a closed range, written in decimal. */
function whole(least: number, most: number, fallback: number) {
  return z
    .string()
    .regex(/^\d{1,10}$/, { error: 'must be a whole number', abort: true })
    .default(String(fallback))
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`)
}

const environment = z
  .object({
    ISSUER: origin,
    LATCHKEY_SECRET: secret,
    LATCHKEY_SECRET_PREVIOUS: secret.optional(),
    UPSTASH_REDIS_REST_URL: storeUrl,
    UPSTASH_REDIS_REST_TOKEN: z.string().regex(/^[\x21-\x7e]+$/, 'must be the REST token of the Upstash database'),
    CLIENTS: clients,
    REGISTRATION: z.enum(['open', 'closed']).default('closed'),
    SIGNING_ALG: z.enum(['ES256', 'EdDSA', 'RS256']).default('ES256'),
    KEY_SIGNING_PERIOD_SECONDS: whole(3600, 365 * DAY_SECONDS, 30 * DAY_SECONDS),
    KEY_PUBLISH_AHEAD_SECONDS: whole(PUBLISH_AHEAD_LEAST_SECONDS, 7 * DAY_SECONDS, 1800),
    PASSWORD_MIN_LENGTH: whole(8, 64, 15),
    BREACHED_PASSWORDS: rangeInterface.optional(),
    CLIENT_ADDRESS_HEADER: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must be the name of a request header')
      .default('CF-Connecting-IP'),
    ACCESS_TTL_SECONDS: whole(30, ACCESS_TTL_LIMIT_SECONDS, 300),
    SESSIONS_PER_USER: whole(1, 10, 1),
    SESSION_IDLE_SECONDS: whole(60, 365 * DAY_SECONDS, 7 * DAY_SECONDS),
    SESSION_ABSOLUTE_SECONDS: whole(60, 365 * DAY_SECONDS, 30 * DAY_SECONDS),
    REPLAY_WINDOW_SECONDS: whole(0, 60, 10),
    REFRESHES_PER_MINUTE: whole(0, 60_000, 60),
    STORE_TIMEOUT_MS: whole(50, 10_000, 800),
    STORE_BUCKETS: whole(1, BUCKETS_LIMIT, 1),
    CHECK_READS: z.enum(['nearest', 'primary']).default('nearest'),
    CHECK_CACHE_SECONDS: whole(0, 60, 1),
    CHECK_STALE_SECONDS: whole(0, 300, 30),
    AUDIT_EVENTS: whole(1000, 1_000_000, 10_000),
    AUDIT_ADDRESS: z.enum(['truncated', 'full', 'off']).default('truncated'),
  })
  .superRefine((env, ctx) => {
    const problem = (name: string, message: string) => ctx.addIssue({ code: 'custom', path: [name], message })
    if (env.SESSION_IDLE_SECONDS > env.SESSION_ABSOLUTE_SECONDS)
      problem('SESSION_IDLE_SECONDS', 'must not exceed SESSION_ABSOLUTE_SECONDS')
    if (env.SESSION_IDLE_SECONDS < env.ACCESS_TTL_SECONDS)
      problem('SESSION_IDLE_SECONDS', 'must not be shorter than ACCESS_TTL_SECONDS')
    if (env.KEY_PUBLISH_AHEAD_SECONDS > env.KEY_SIGNING_PERIOD_SECONDS)
      problem('KEY_PUBLISH_AHEAD_SECONDS', 'must not exceed KEY_SIGNING_PERIOD_SECONDS')
  })
  .transform((env): Config => ({
    issuer: env.ISSUER,
    secret: env.LATCHKEY_SECRET,
    previousSecret: env.LATCHKEY_SECRET_PREVIOUS,
    store: {
      url: env.UPSTASH_REDIS_REST_URL,
      token: env.UPSTASH_REDIS_REST_TOKEN,
      timeoutMs: env.STORE_TIMEOUT_MS,
      buckets: env.STORE_BUCKETS,
      checkReads: env.CHECK_READS,
    },
    clients: env.CLIENTS,
    audiences: [...new Set(env.CLIENTS.flatMap(({ audiences }) => audiences))],
    registration: env.REGISTRATION,
    signingAlg: env.SIGNING_ALG,
    keySigningPeriodSeconds: env.KEY_SIGNING_PERIOD_SECONDS,
    keyPublishAheadSeconds: env.KEY_PUBLISH_AHEAD_SECONDS,
    passwordMinLength: env.PASSWORD_MIN_LENGTH,
    breachedPasswordsUrl: env.BREACHED_PASSWORDS,
    clientAddressHeader: env.CLIENT_ADDRESS_HEADER,
    accessTtlSeconds: env.ACCESS_TTL_SECONDS,
    sessionsPerUser: env.SESSIONS_PER_USER,
    idleSeconds: env.SESSION_IDLE_SECONDS,
    absoluteSeconds: env.SESSION_ABSOLUTE_SECONDS,
    replayWindowSeconds: env.REPLAY_WINDOW_SECONDS,
    refreshesPerMinute: env.REFRESHES_PER_MINUTE,
    checkCacheSeconds: env.CHECK_CACHE_SECONDS,
    checkStaleSeconds: env.CHECK_STALE_SECONDS,
    audit: { events: env.AUDIT_EVENTS, address: env.AUDIT_ADDRESS },
  }))

/** The names of all variables and secrets, in the order of `wrangler.toml`. */
export const variableNames: readonly string[] = Object.keys(environment.in.shape)

/** Reads the environment: strings by name, an empty one counting as absent. */
export function parseConfig(env: Readonly<Record<string, unknown>>): ConfigResult {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = environment.safeParse(given)
  if (parsed.success) return { ok: true, value: parsed.data }
  const problems = parsed.error.issues.map(({ path, message, code }) => {
    const missing = code === 'invalid_type' && path.length === 1 && given[String(path[0])] === undefined
    return missing ? `${String(path[0])}: is missing` : `${describe(path)}: ${message}`
  })
  return { ok: false, problems }
}

/** `CLIENTS[0].origins[1]` from a path. */
function describe(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i ? `.${String(part)}` : String(part)))
    .join('')
}
