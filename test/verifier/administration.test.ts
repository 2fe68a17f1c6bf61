import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.ts'
import { createAdministrator, startAdministeredStack, type Administrator } from '../support/administrator.ts'
import { apiSecret, audience, issuer, type Stack } from '../support/stack.ts'
import { basic, bearer, createUser, json, password, readTokens, type Tokens, type User } from '../support/user.ts'

const VERIFIERS = 5
const ROUNDS = 5

let stack: Stack
let administrator: Administrator
beforeAll(async () => {
  stack = await startAdministeredStack(3)
  administrator = await createAdministrator(stack)
})
afterAll(() => stack.stop())

function follow(): Verifier {
  const verifier = createVerifier({
    issuer,
    audience,
    revocation: 'feed',
    clientId: 'api',
    clientSecret: apiSecret,
    fetch: (url, init) => stack.request(url.slice(issuer.length), init),
  })
  onTestFinished(() => verifier.close())
  return verifier
}
const outcome = async (verifier: Verifier, token: string) => {
  const result = await verifier.verify(token)
  return result.ok ? result.checked : result.code
}
/** What the service says of a token on both servers, as status and roles. */
const askBoth = (token: string) =>
  Promise.all(
    [0, 1].map(async (server) => {
      const { status, headers } = await stack.requestTo(server, '/v1/verify?fresh=1', bearer(token))
      return `${status} ${headers.get('X-Roles') ?? ''}`.trim()
    }),
  )

interface Change {
  readonly name: string
  /** Does it, by HTTP, to a user with a session of these tokens. */
  readonly make: (user: User, tokens: Tokens) => Promise<unknown>
  /** What the service says of the access token from then on; 401 unless the session goes on. */
  readonly leaves?: string
}

const changes: readonly Change[] = [
  {
    name: 'an account is disabled',
    make: ({ id }) => administrator.done('PATCH', `/accounts/${id}`, { status: 'disabled' }),
  },
  { name: 'an account is deleted', make: ({ id }) => administrator.done('DELETE', `/accounts/${id}`) },
  {
    name: 'roles are set',
    make: ({ id }) => administrator.done('PATCH', `/accounts/${id}`, { roles: ['teller'] }),
    leaves: '204 teller',
  },
  {
    name: 'the password is changed',
    async make(user) {
      const { access_token } = await user.login()
      const wish = { current_password: password, new_password: `${password} anew` }
      const answer = await stack.request('/v1/password', json(wish, { Authorization: `Bearer ${access_token}` }))
      expect(answer.status).toBe(204)
    },
  },
  {
    name: 'one session is ended',
    make: ({ id }, { session_id }) => administrator.done('DELETE', `/users/${id}/sessions/${session_id}`),
  },
  { name: 'all sessions of a user are ended', make: ({ id }) => administrator.done('DELETE', `/users/${id}/sessions`) },
  {
    name: 'a token is denied',
    make: ({ id }, { access_token }) =>
      administrator.done('POST', '/denials', { user_id: id, jti: decodeJwt(access_token).jti }),
  },
]

/** Until all verifiers refuse the token, in ms each; the service itself does so in its very next answer. */
async function measure(verifiers: readonly Verifier[], token: string, make: () => Promise<unknown>, leaves = '401') {
  for (const verifier of verifiers) expect(await outcome(verifier, token)).toBe('feed')
  await make()
  const doneMs = performance.now()
  expect(await askBoth(token)).toEqual([leaves, leaves])
  return Promise.all(
    verifiers.map(async (verifier) => {
      await expect.poll(() => outcome(verifier, token), { timeout: 10_000, interval: 10 }).toBe('revoked')
      return performance.now() - doneMs
    }),
  )
}

function report(name: string, lagsMs: readonly number[]): number {
  const sorted = lagsMs.toSorted((a, b) => a - b)
  const [middle = 0, most = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
  console.log(
    `${name}: heard by ${sorted.length} verifiers after ${Math.round(middle)} ms (median), ${Math.round(most)} ms at most`,
  )
  return most
}

it.each(changes)(
  '$name: the service knows at once, verifiers with the feed within two seconds',
  async ({ name, make, leaves }) => {
    const verifiers = Array.from({ length: VERIFIERS }, follow)
    const lagsMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const user = await createUser(stack)
      const tokens = await user.login()
      lagsMs.push(...(await measure(verifiers, tokens.access_token, () => make(user, tokens), leaves)))
    }
    expect(report(name, lagsMs)).toBeLessThan(2000)
  },
)

it('a login system ends its subject’s sessions: verifiers hear of it within two seconds', async () => {
  const verifiers = Array.from({ length: VERIFIERS }, follow)
  const call = (path: string) =>
    stack.request(`/v1/admin/sessions${path}`, json({ subject: 'ada' }, basic('idp', apiSecret)))
  const lagsMs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { access_token } = await readTokens(await call(''))
    lagsMs.push(...(await measure(verifiers, access_token, () => call('/end'))))
  }
  expect(report('a subject’s sessions are ended', lagsMs)).toBeLessThan(2000)
})

it('every session of everyone is ended: verifiers hear of it within two seconds, and take new sign-ins', async () => {
  const verifiers = Array.from({ length: VERIFIERS }, follow)
  const users = await Promise.all(Array.from({ length: 6 }, () => createUser(stack)))
  const tokens = await Promise.all(users.map((user) => user.login()))
  const [first] = tokens
  if (!first) throw new Error('nobody')
  const lagsMs = await measure(verifiers, first.access_token, () =>
    administrator.done('DELETE', '/sessions', { everyone: true }),
  )
  expect(report('every session of everyone is ended', lagsMs)).toBeLessThan(2000)
  for (const { access_token } of tokens)
    for (const verifier of verifiers) expect(await outcome(verifier, access_token)).toBe('revoked')
  // Tokens of about that time the issuer is asked about.
  await stack.advanceClock(6000)
  for (const user of users) {
    const { access_token } = await user.login()
    for (const verifier of verifiers) expect(await outcome(verifier, access_token)).toBe('feed')
  }
})
