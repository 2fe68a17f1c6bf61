/** Which rates are compared. Both are of the same round, so that a busy machine touches both. */
export interface Comparison {
  readonly of: string
  readonly to: string
  /** What the ratio is meant to be at least: with one caller, and with many. */
  readonly target?: readonly [alone: number | undefined, together: number | undefined]
}

export const comparisons: readonly Comparison[] = [
  { of: 'latchkey: verify, cached', to: 'limits: bare Hono handler', target: [0.85, 0.85] },
  { of: 'latchkey: verify, live', to: 'limits: one MGET', target: [0.85, 2] },
  { of: 'latchkey: refresh', to: 'limits: one EVALSHA and one signature', target: [0.75, 0.75] },
  { of: 'latchkey: refresh', to: 'limits: one EVALSHA' },
  { of: 'latchkey: logout', to: 'limits: one EVALSHA' },
  { of: 'latchkey: introspect', to: 'limits: one MGET' },
  { of: 'latchkey: key set', to: 'limits: bare Hono handler' },
  { of: 'latchkey: login', to: 'limits: argon2id, wasm in workerd' },
  { of: "limits: one MGET by Upstash's client", to: 'limits: one MGET' },
]
