import { describe, expect, it } from 'vitest'
import { parseConfig, variableNames } from '../../src/config.ts'
import { projectRoot } from '../../src/local/project.ts'
import { apiSecret, testVariables, webOrigin } from '../support/stack.ts'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unstable_readConfig } from 'wrangler'

const problemsOf = (changes: Record<string, string | undefined>) => {
  const config = parseConfig({ ...testVariables, ...changes })
  return config.ok ? [] : config.problems
}
const client = { id: 'web', kind: 'browser', origins: [webOrigin], audiences: ['https://api.example.com'] }
const service = { kind: 'service', origins: [], secret_digest: `sha256:${'A'.repeat(43)}` }
const clientProblems = (changes: Record<string, unknown>) =>
  problemsOf({ CLIENTS: JSON.stringify([{ ...client, ...changes }]) })

describe('the configuration', () => {
  it('is read with defaults for all that need not be said', () => {
    const config = parseConfig(testVariables)
    expect(config).toMatchObject({
      ok: true,
      value: {
        accessTtlSeconds: 300,
        sessionsPerUser: 1,
        idleSeconds: 7 * 86_400,
        absoluteSeconds: 30 * 86_400,
        replayWindowSeconds: 10,
        passwordMinLength: 15,
        signingAlg: 'ES256',
        checkCacheSeconds: 1,
        checkStaleSeconds: 30,
        store: { timeoutMs: 800, buckets: 1, checkReads: 'nearest' },
      },
    })
  })

  it('is closed to registration by default', () => {
    expect(parseConfig({ ...testVariables, REGISTRATION: '' })).toMatchObject({ value: { registration: 'closed' } })
  })

  it('lists all of its problems at once, by variable', () => {
    expect(
      problemsOf({
        LATCHKEY_SECRET: undefined,
        ISSUER: 'http://auth.example.com',
        ACCESS_TTL_SECONDS: '601',
        SESSIONS_PER_USER: '11',
        CHECK_READS: 'sometimes',
      }),
    ).toEqual([
      'ISSUER: http://auth.example.com: must be https (plain http only on localhost)',
      'LATCHKEY_SECRET: is missing',
      'ACCESS_TTL_SECONDS: must be from 30 to 600',
      'SESSIONS_PER_USER: must be from 1 to 10',
      expect.stringMatching(/^CHECK_READS: /),
    ])
  })

  it.each([
    ['31 bytes', Buffer.alloc(31, 'x1y2z3').toString('base64url')],
    ['bytes that repeat', Buffer.alloc(32, 'ab').toString('base64url')],
    ['a passphrase', 'correct horse battery staple'],
    ['zeros', 'A'.repeat(43)],
  ])('refuses a secret of %s and does not repeat it', (_, secret) => {
    const problems = problemsOf({ LATCHKEY_SECRET: secret })
    expect(problems).toEqual([expect.stringMatching(/^LATCHKEY_SECRET: must be 32 random bytes/)])
    expect(problems.join('')).not.toContain(secret)
  })

  it.each(['*', 'https://*', 'https://*.example.com', 'https://*:443'])('refuses the wildcard origin %s', (origin) => {
    expect(clientProblems({ origins: [origin] })).toEqual([expect.stringContaining('wildcard')])
  })

  it.each([
    ['plain http beyond localhost', 'http://app.example.com'],
    ['a path', 'https://app.example.com/'],
    ['no scheme', 'app.example.com'],
    ['upper case', 'https://APP.example.com'],
    ['null', 'null'],
  ])('refuses an origin with %s', (_, origin) => {
    expect(clientProblems({ origins: [origin] })).toHaveLength(1)
  })

  it.each(['http://localhost:5173', 'http://127.0.0.1:3000', 'https://app.example.com:8443'])(
    'accepts the origin %s',
    (origin) => {
      expect(clientProblems({ origins: [origin] })).toEqual([])
    },
  )

  it.each([
    ['a browser without origins', { origins: [] }],
    ['a native client with origins', { kind: 'native' }],
    ['a service without a secret digest', { kind: 'service', origins: [] }],
    ['a browser with a secret', { secret_digest: `sha256:${'A'.repeat(43)}` }],
    ['a client without an audience', { audiences: [] }],
    ['an id as long as a user id', { id: 'a'.repeat(22) }],
    ['a service with opaque tokens', { ...service, access_token: 'opaque' }],
    ['a browser that opens sessions for others', { opens_sessions: true }],
    ['an unknown kind of access token', { access_token: 'paseto' }],
    ['an unknown kind', { kind: 'robot' }],
    ['a member it does not know', { secret: 'x' }],
  ])('refuses %s', (_, changes) => {
    expect(clientProblems(changes)).not.toEqual([])
  })

  it('accepts a native client with a secret, and one with opaque tokens', () => {
    const native = { kind: 'native', origins: [] }
    expect(clientProblems({ ...native, secret_digest: service.secret_digest })).toEqual([])
    expect(clientProblems({ ...native, access_token: 'opaque' })).toEqual([])
  })

  it('accepts a service that opens sessions for users it has authenticated', () => {
    expect(clientProblems({ ...service, opens_sessions: true })).toEqual([])
  })

  it('refuses clients that are no JSON, none, or two of one id', () => {
    expect(problemsOf({ CLIENTS: '[' })).toEqual(['CLIENTS: must be JSON'])
    expect(problemsOf({ CLIENTS: '[]' })).toHaveLength(1)
    expect(problemsOf({ CLIENTS: JSON.stringify([client, client]) })).toEqual([
      'CLIENTS: has two clients with the same id',
    ])
  })

  it('keeps a service’s secret as its digest', () => {
    const config = parseConfig(testVariables)
    if (!config.ok) throw new Error('refused')
    const digest = config.value.clients.find(({ id }) => id === 'api')?.secretDigest
    expect(digest && Buffer.from(digest)).toEqual(createHash('sha256').update(apiSecret).digest())
  })

  it.each([
    ['off', undefined],
    ['', undefined],
    ['https://api.pwnedpasswords.com', 'https://api.pwnedpasswords.com'],
    ['https://mirror.example.com/pwned/', 'https://mirror.example.com/pwned'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ])('looks breached passwords up where BREACHED_PASSWORDS says: %j', (value, url) => {
    expect(parseConfig({ ...testVariables, BREACHED_PASSWORDS: value })).toMatchObject({
      ok: true,
      value: { breachedPasswordsUrl: url },
    })
  })

  it.each([
    'on',
    'http://api.pwnedpasswords.com',
    'https://user@host.example',
    'https://host.example?key=1',
    'https://',
  ])('refuses to look breached passwords up at %s', (value) => {
    expect(problemsOf({ BREACHED_PASSWORDS: value })).toEqual([expect.stringMatching(/^BREACHED_PASSWORDS: must be/)])
  })

  it('refuses lifetimes that contradict each other', () => {
    expect(problemsOf({ SESSION_IDLE_SECONDS: '1000', SESSION_ABSOLUTE_SECONDS: '900' })).toHaveLength(1)
    expect(problemsOf({ SESSION_IDLE_SECONDS: '100' })).toEqual([
      'SESSION_IDLE_SECONDS: must not be shorter than ACCESS_TTL_SECONDS',
    ])
    for (const value of ['-1', '1e3', '5.5', '0x10', ' 5', 'Infinity'])
      expect(problemsOf({ ACCESS_TTL_SECONDS: value })).toHaveLength(1)
  })

  it('refuses a store beyond localhost over plain http', () => {
    expect(problemsOf({ UPSTASH_REDIS_REST_URL: 'http://example.upstash.io' })).toHaveLength(1)
    expect(problemsOf({ UPSTASH_REDIS_REST_URL: 'redis://localhost:6379' })).toHaveLength(1)
  })

  it.each(['https://x.upstash.io\n', 'https:x.upstash.io', 'https://u:p@x.upstash.io', 'https://x.upstash.io?a=b'])(
    'refuses the store address %j, which its client could not use',
    (url) => {
      expect(problemsOf({ UPSTASH_REDIS_REST_URL: url })).toHaveLength(1)
    },
  )

  it('refuses a store token with a line break, and a service without a secret', () => {
    expect(problemsOf({ UPSTASH_REDIS_REST_TOKEN: 'token\n' })).toHaveLength(1)
    const digest = createHash('sha256').update('').digest('base64url')
    expect(clientProblems({ kind: 'service', origins: [], secret_digest: `sha256:${digest}` })).toHaveLength(1)
  })
})

describe('wrangler.toml', () => {
  const file = join(projectRoot, 'wrangler.toml')

  it('explains every variable and secret that is read, and no other', () => {
    const text = readFileSync(file, 'utf8')
    const { vars } = unstable_readConfig({ config: file })
    const secrets = variableNames.filter((name) => new RegExp(`^# +${name} `, 'm').test(text))
    expect(secrets.toSorted()).toEqual(['LATCHKEY_SECRET', 'LATCHKEY_SECRET_PREVIOUS', 'UPSTASH_REDIS_REST_TOKEN'])
    expect([...Object.keys(vars), ...secrets].toSorted()).toEqual(variableNames.toSorted())
  })

  it('is a valid configuration once the secrets are put', () => {
    const { vars } = unstable_readConfig({ config: file })
    const { LATCHKEY_SECRET, UPSTASH_REDIS_REST_TOKEN } = testVariables
    expect(parseConfig({ ...vars, LATCHKEY_SECRET, UPSTASH_REDIS_REST_TOKEN })).toMatchObject({ ok: true })
  })
})
