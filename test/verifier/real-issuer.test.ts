import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { withdrawKey } from '../../src/tokens/key-changes.ts'
import { createVerifier, type RevocationMode, type Verifier } from '../../src/verifier/verifier.ts'
import { actor } from '../support/actor.ts'
import { badTokens } from '../support/bad-tokens.ts'
import { apiSecret, audience, issuer, stackForTest, startStack, type Stack } from '../support/stack.ts'
import { createUser, form, json, type Tokens, type User } from '../support/user.ts'

const VERIFIERS = 20
const REVOCATIONS = 200

/** A verifier of the real service: what it asks goes to all servers in turn. */
function follow(stack: Stack, revocation: RevocationMode, options = {}): Verifier {
  const verifier = createVerifier({
    issuer,
    audience,
    revocation,
    ...(revocation !== 'none' && { clientId: 'api', clientSecret: apiSecret }),
    fetch: (url, init) => stack.request(url.slice(issuer.length), init),
    ...options,
  })
  onTestFinished(() => verifier.close())
  return verifier
}

const outcome = async (verifier: Verifier, token: string) => {
  const result = await verifier.verify(token)
  return result.ok ? result.checked : result.code
}

describe('a verifier of the real service', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack({ servers: 2, env: { STORE_TIMEOUT_MS: '5000' } })
  })
  afterAll(() => stack.stop())

  it.each(['feed', 'introspect', 'none'] as const)(
    '(%s) takes good tokens and refuses eleven kinds of bad ones',
    async (mode) => {
      const verifier = follow(stack, mode)
      const tokens = await (await createUser(stack)).login()
      for (const { name, token } of await badTokens(stack, tokens)) {
        const result = await verifier.verify(token)
        expect({ name, status: result.ok ? 200 : result.status }).toEqual({ name, status: 401 })
      }
      expect(await verifier.verify(tokens.access_token)).toMatchObject({ ok: true, claims: { sid: tokens.session_id } })
    },
  )

  it('asks about opaque tokens each time, and hears of their end at once', async () => {
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login('vault')
    const verifier = follow(stack, 'feed')
    for (let times = 0; times < 2; times++)
      expect(await verifier.verify(access_token)).toMatchObject({
        ok: true,
        checked: 'introspection',
        claims: { sub: user.id },
      })
    await stack.request('/v1/logout', json({ refresh_token }))
    expect(await outcome(verifier, access_token)).toBe('invalid_token')
    expect(await outcome(follow(stack, 'none'), access_token)).toBe('invalid_token')
  })

  /** Every way in which a session or a token ends; each ends the token that it is given. */
  const endings: Record<string, (user: User, tokens: Tokens) => Promise<unknown>> = {
    logout: (_, { refresh_token }) => stack.request('/v1/logout', json({ refresh_token })),
    'a newer sign-in': (user) => user.login(),
    async reuse(user, { refresh_token }) {
      const second = await user.refreshed(refresh_token)
      await user.refreshed(second.refresh_token)
      await user.refresh(refresh_token)
    },
    'an administrator’s end': async ({ username }) => {
      const store = stack.store()
      const account = await store.findAccount(username)
      if (!account) throw new Error('no account')
      await store.changeAccount({ account, status: 'disabled', nowMs: stack.nowMs(), actor })
      await store.changeAccount({ account, status: 'active', nowMs: stack.nowMs(), actor })
    },
    'a denied jti': (_, { access_token }) =>
      stack.request('/oauth/revoke', form({ token: access_token, client_id: 'app' })),
  }

  it('hears of every end of a session or token within two seconds, with twenty of them attached', async () => {
    const verifiers = Array.from({ length: VERIFIERS }, () => follow(stack, 'feed'))
    const users = await Promise.all(Array.from({ length: 20 }, () => createUser(stack)))
    const lagsMs: number[] = []
    stack.forgetStoreRequests()
    const startedMs = performance.now()
    const ways = Object.values(endings)
    for (let done = 0; done < REVOCATIONS; done += users.length) {
      await Promise.all(
        users.map(async (user, i) => {
          const end = ways[(done / users.length + i) % ways.length]
          const tokens = await user.login()
          const [first] = verifiers
          expect(first && (await outcome(first, tokens.access_token))).toBe('feed')
          await end?.(user, tokens)
          const endedMs = performance.now()
          const heard = verifiers.map(async (verifier) => {
            while ((await outcome(verifier, tokens.access_token)) !== 'revoked')
              await new Promise((resolve) => setTimeout(resolve, 10))
            lagsMs.push(performance.now() - endedMs)
          })
          await Promise.all(heard)
        }),
      )
    }
    const seconds = (performance.now() - startedMs) / 1000
    const isFeedRead = ([, , keys, key, ...args]: string[]) => keys === '1' && key === 'feed:{0}' && args.length === 2
    const reads = stack.storeRequests.filter(({ commands }) => commands.some(isFeedRead)).length
    const sorted = lagsMs.toSorted((a, b) => a - b)
    const [median = 0, most = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
    console.log(
      `${REVOCATIONS} revocations reached ${VERIFIERS} verifiers after ${Math.round(median)} ms (median), ${Math.round(most)} ms (most); ` +
        `${reads} reads of the feed by 2 servers in ${Math.round(seconds)} s`,
    )
    expect(lagsMs).toHaveLength(REVOCATIONS * VERIFIERS)
    expect(most).toBeLessThan(2000)
    expect(reads).toBeLessThanOrEqual(2 * (seconds + 1) + VERIFIERS)
  })

  it('hears of a withdrawn key, and of new roles', async () => {
    const verifier = follow(stack, 'feed')
    const user = await createUser(stack)
    const { access_token, refresh_token } = await user.login()
    expect(await outcome(verifier, access_token)).toBe('feed')
    const store = stack.store()
    const account = await store.findAccount(user.username)
    if (!account) throw new Error('no account')
    await store.changeAccount({ account, roles: 'teller', nowMs: stack.nowMs() + 1000, actor })
    await expect.poll(() => outcome(verifier, access_token), { timeout: 5000 }).toBe('revoked')
    await stack.advanceClock(2000)
    const next = await user.refreshed(refresh_token)
    expect(decodeJwt(next.access_token)).toMatchObject({ roles: ['teller'] })
    expect(await verifier.verify(next.access_token)).toMatchObject({ ok: true, claims: { roles: ['teller'] } })
    await withdrawKey(await stack.operator(), decodeProtectedHeader(next.access_token).kid ?? '', stack.nowMs())
    await expect.poll(() => outcome(verifier, next.access_token), { timeout: 5000 }).toBe('revoked')
  })
})

describe('while the service is away', () => {
  it('feed mode refuses after its staleness, none goes on, and both recover by themselves', async () => {
    const stack = await stackForTest()
    const tokens = await (await createUser(stack)).login()
    let nowMs = Date.now()
    let isAway = false
    const options = {
      clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
      background: false,
      fetch: (url: string, init: RequestInit) =>
        isAway ? Promise.reject(new TypeError('fetch failed')) : stack.request(url.slice(issuer.length), init),
    }
    const [feed, none] = [follow(stack, 'feed', options), follow(stack, 'none', options)]
    const both = async () => [await outcome(feed, tokens.access_token), await outcome(none, tokens.access_token)]
    expect(await both()).toEqual(['feed', 'signature'])
    isAway = true
    nowMs += 9000
    expect(await both()).toEqual(['feed', 'signature'])
    nowMs += 3000
    expect(await both()).toEqual(['revocation_unknown', 'signature'])
    nowMs += 200_000
    expect(await both()).toEqual(['revocation_unknown', 'signature'])
    isAway = false
    nowMs += 5000
    await stack.advanceClock(217_000)
    await expect.poll(both).toEqual(['feed', 'signature'])
  })
})
