import type { Revision } from './revision.ts'

/** Which rates are compared. Both are of the same round, so that a busy machine touches both. */
export interface Comparison {
  readonly of: string
  readonly to: string
  /** What the ratio is meant to be at least: with one caller, and with many. */
  readonly target?: readonly [alone: number | undefined, together: number | undefined]
}

export const comparisons: readonly Comparison[] = [
  { of: 'latchkey: verify, cached', to: 'limits: bare Hono handler', target: [0.85, 0.85] },
  { of: 'latchkey: verify, cached', to: 'limits: the least of a verify, cached' },
  { of: 'limits: the least of a verify, cached', to: 'limits: bare Hono handler' },
  { of: 'latchkey: verify, live', to: 'limits: one MGET', target: [0.85, 2] },
  { of: 'latchkey: verify, live', to: 'limits: the least of a verify, live' },
  { of: 'limits: the least of a verify, live', to: 'limits: one MGET' },
  { of: 'latchkey: refresh', to: 'limits: one EVALSHA and one signature', target: [0.75, 0.75] },
  { of: 'latchkey: refresh', to: 'limits: the least of a refresh' },
  { of: 'limits: the least of a refresh', to: 'limits: one EVALSHA and one signature' },
  { of: 'latchkey: logout', to: 'limits: one EVALSHA' },
  { of: 'latchkey: introspect', to: 'limits: one MGET' },
  { of: 'latchkey: key set', to: 'limits: bare Hono handler' },
  { of: 'latchkey: login', to: 'limits: argon2id, wasm in workerd' },
  { of: 'verifier with feed: fresh tokens', to: 'jose jwtVerify: fresh tokens', target: [0.9, undefined] },
  { of: 'verifier with feed: a repeated token', to: 'jose jwtVerify: fresh tokens', target: [20, undefined] },
  { of: 'service with verifier: signature only, each time', to: 'limits: bare Hono handler' },
  { of: 'service with verifier: signature only, seen before', to: 'limits: bare Hono handler' },
  ...['login', 'refresh', 'verify, live', 'verify, cached', 'logout'].map((name) => ({
    of: `fleet of five: ${name}`,
    to: `latchkey: ${name}`,
  })),
  { of: 'latchkey: login', to: 'better-auth: login' },
  ...['better-auth', 'oidc-provider', 'openauth', 'express-session'].map((peer) => ({
    of: 'latchkey: refresh',
    to: `${peer}: refresh`,
  })),
  { of: 'latchkey: verify, live', to: 'better-auth: check' },
  { of: 'latchkey: verify, live', to: 'oidc-provider: check' },
  { of: 'latchkey: verify, live', to: 'express-session: check', target: [undefined, 1] },
  { of: 'latchkey: verify, cached', to: 'better-auth: check, cached in the cookie' },
  { of: 'service with verifier: signature only, each time', to: 'openauth: check' },
  ...['better-auth', 'oidc-provider', 'express-session'].map((peer) => ({
    of: 'latchkey: logout',
    to: `${peer}: logout`,
  })),
  { of: "limits: one MGET by Upstash's client", to: 'limits: one MGET' },
]

/** Of the present commit with another one. */
export function comparisonsWith({ commit }: Revision): readonly Comparison[] {
  return ['login', 'refresh', 'verify, live', 'verify, cached', 'introspect', 'key set'].map((name) => ({
    of: `latchkey: ${name}`,
    to: `at ${commit}: ${name}`,
  }))
}
