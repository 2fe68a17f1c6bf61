import { afterEach, describe, expect, it, vi } from 'vitest'
import { createVerifier } from '../../src/verifier/verifier.ts'
import { createTestIssuer, makeKey, type TestIssuer } from './support/issuer.ts'

const near: (seconds: number) => unknown = (seconds) => expect.closeTo(seconds, 3)

afterEach(() => void vi.useRealTimers())

async function follow(changes: Partial<Pick<TestIssuer, 'pageSize'>> = {}) {
  const issuer = Object.assign(await createTestIssuer(), changes)
  const verifier = createVerifier(issuer.options('feed'))
  /** Verifies, and lets the polls end that this began. */
  const verify = async (token: string) => {
    const begun: Promise<unknown>[] = []
    const result = await verifier.verify(token, { waitUntil: (promise) => void begun.push(promise) })
    await Promise.all(begun)
    return result
  }
  return { issuer, verifier, verify }
}

describe('a revocation', () => {
  it.each(['sid', 'jti', 'kid'] as const)('of its %s refuses a token by the next poll', async (kind) => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign({ sid: 'a-session', jti: 'a-token' })
    expect(await verify(token)).toMatchObject({ ok: true, checked: 'feed', stalenessSeconds: 0 })
    issuer.revoke(kind, { sid: 'a-session', jti: 'a-token', kid: 'key-1' }[kind])
    issuer.time.advance(500)
    // Answered from memory while the poll is under way.
    expect(await verify(token)).toMatchObject({ ok: true, stalenessSeconds: 0.5 })
    expect(await verify(token)).toMatchObject({ ok: false, code: 'revoked', status: 401 })
    expect(issuer.calls.introspect).toBe(0)
  })

  it('of its roles refuses the tokens of before, and takes those that the session gets from then on', async () => {
    const { issuer, verifier, verify } = await follow()
    const before = await issuer.sign({ sid: 'a-session' })
    expect(await verify(before)).toMatchObject({ ok: true })
    issuer.time.advance(1500)
    issuer.changeRoles('a-session')
    issuer.time.advance(1000)
    const after = await issuer.sign({ sid: 'a-session', roles: ['teller'] })
    await verify(before)
    expect(await verify(before)).toMatchObject({ ok: false, code: 'revoked', status: 401 })
    expect(await verify(after)).toMatchObject({ ok: true, claims: { roles: ['teller'] } })
    expect(verifier.state().feed?.entries).toBe(1)
    issuer.time.advance(500_000)
    await verify(await issuer.sign())
    await verify(await issuer.sign())
    expect(verifier.state().feed?.entries).toBe(0)
  })

  it('of everyone refuses all tokens of before, in the room of one entry, and takes those of new sign-ins', async () => {
    const { issuer, verifier, verify } = await follow()
    const before = [await issuer.sign(), await issuer.sign({ sub: 'user-2', client_id: 'app' })]
    for (const token of before) expect(await verify(token)).toMatchObject({ ok: true })
    issuer.time.advance(1500)
    for (let times = 0; times < 100; times++) issuer.endEveryone()
    issuer.time.advance(6000)
    const after = await issuer.sign()
    await verify(after)
    for (const token of before) expect(await verify(token)).toMatchObject({ ok: false, code: 'revoked', status: 401 })
    expect(await verify(after)).toMatchObject({ ok: true, checked: 'feed' })
    expect(verifier.state().feed?.entries).toBe(1)
    // A verifier that begins later hears of it too.
    const late = createVerifier(issuer.options('feed'))
    expect(await late.verify(before[0] ?? '')).toMatchObject({ code: 'revoked' })
    issuer.time.advance(600_000)
    await verify(await issuer.sign())
    await verify(await issuer.sign())
    expect(verifier.state().feed?.entries).toBe(0)
  })

  it('of everyone leaves tokens of about that time to the issuer, which knows whether they are older than they say', async () => {
    const { issuer, verify } = await follow()
    await verify(await issuer.sign())
    const nowSeconds = Math.floor(issuer.time.issuerMs / 1000)
    const ahead = await issuer.sign({ iat: nowSeconds + 3 })
    issuer.time.advance(500)
    issuer.endEveryone()
    issuer.time.advance(1000)
    const after = await issuer.sign()
    await verify(after)
    expect(await verify(ahead)).toMatchObject({ ok: false, code: 'revoked' })
    expect(await verify(after)).toMatchObject({ ok: true, checked: 'introspection' })
    issuer.fault = 'feed'
    issuer.time.advance(5000)
    expect(await verify(after)).toMatchObject({ ok: true, checked: 'introspection' })
    issuer.fault = 'refusing'
    expect(await verify(after)).toMatchObject({ code: 'revocation_unknown', status: 503 })
    expect(await verify(await issuer.sign())).toMatchObject({ ok: true, checked: 'feed' })
  })

  it('harms nobody else', async () => {
    const { issuer, verify } = await follow()
    const [one, other] = [await issuer.sign({ sid: 'one', jti: 'j1' }), await issuer.sign({ sid: 'two', jti: 'one' })]
    issuer.revoke('sid', 'one')
    expect(await verify(one)).toMatchObject({ code: 'revoked' })
    expect(await verify(other)).toMatchObject({ ok: true })
  })

  it('of a key refuses its tokens though the key set still has it', async () => {
    const { issuer, verifier, verify } = await follow()
    issuer.keys.push(await makeKey('key-2'))
    const [before, after] = [await issuer.sign(), await issuer.sign({}, {}, issuer.keys[1])]
    expect(await verify(before)).toMatchObject({ ok: true })
    issuer.revoke('kid', 'key-1')
    issuer.time.advance(11_000)
    expect(await verify(before)).toMatchObject({ code: 'revoked' })
    expect(await verify(after)).toMatchObject({ ok: true })
    expect(verifier.state().keys.kids).toEqual(['key-1', 'key-2'])
  })

  it('is forgotten some time after the last token that it concerns, also when the clock here is behind', async () => {
    const { issuer, verifier, verify } = await follow()
    const token = await issuer.sign({ sid: 'a-session' })
    issuer.revoke('sid', 'a-session')
    expect(await verify(token)).toMatchObject({ code: 'revoked' })
    issuer.time.advance(600_000)
    issuer.time.wallMs -= 600_000
    await verify(await issuer.sign())
    expect(verifier.state().feed).toMatchObject({ entries: 0 })
    expect(await verify(token)).toMatchObject({ code: 'expired' })
  })

  it('is read on all pages before the feed counts as fresh', async () => {
    const { issuer, verifier, verify } = await follow({ pageSize: 10 })
    const token = await issuer.sign({ sid: 'sid-94' })
    for (let i = 0; i < 95; i++) issuer.revoke('sid', `sid-${i}`)
    expect(await verify(token)).toMatchObject({ code: 'revoked' })
    expect(issuer.calls).toMatchObject({ feed: 10, introspect: 0 })
    expect(verifier.state().feed).toMatchObject({ entries: 95, polls: 1 })
  })

  it('is kept when the feed starts over', async () => {
    const { issuer, verifier, verify } = await follow()
    const token = await issuer.sign({ sid: 'a-session' })
    issuer.revoke('sid', 'a-session')
    expect(await verify(token)).toMatchObject({ code: 'revoked' })
    issuer.resetCursors()
    issuer.time.advance(11_000)
    expect(await verify(token)).toMatchObject({ code: 'revoked' })
    expect(verifier.state().feed).toMatchObject({ entries: 1, polls: 2 })
  })
})

describe('the age of the feed', () => {
  it('counts from when the issuer read its store, by the issuer’s clock, and from the question, by ours', async () => {
    const { issuer, verify } = await follow()
    issuer.feedAgeMs = 700
    issuer.feedDelayMs = 1800
    expect(await verify(await issuer.sign())).toMatchObject({ ok: true, stalenessSeconds: near(2.5) })
  })

  it('is not fooled by clocks that are hours apart', async () => {
    const { issuer, verify } = await follow()
    issuer.time.issuerMs += 7_200_000
    const token = await issuer.sign()
    expect(await verify(token)).toMatchObject({ ok: true, checked: 'feed', stalenessSeconds: 0 })
  })

  it('counts the time that a machine slept, when its monotonic clock stood still', async () => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign({ sid: 'a-session' })
    expect(await verify(token)).toMatchObject({ ok: true })
    issuer.revoke('sid', 'a-session')
    issuer.time.wallMs += 60_000
    issuer.time.issuerMs += 60_000
    expect(await verify(token)).toMatchObject({ code: 'revoked' })
  })

  it('is not shortened when the wall clock is set back', async () => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign({ sid: 'a-session' })
    expect(await verify(token)).toMatchObject({ ok: true })
    issuer.revoke('sid', 'a-session')
    issuer.time.advance(11_000)
    issuer.time.wallMs -= 3_600_000
    expect(await verify(token)).toMatchObject({ code: 'revoked' })
  })
})

describe('polls', () => {
  it('are made at most twice a second, however many tokens are verified', async () => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign()
    for (let i = 0; i < 200; i++) {
      expect(await verify(token)).toMatchObject({ ok: true })
      issuer.time.advance(50)
    }
    expect(issuer.calls.feed).toBe(20)
  })

  it('are shared by all who wait', async () => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign()
    const results = await Promise.all(Array.from({ length: 100 }, () => verify(token)))
    expect(results.filter(({ ok }) => ok)).toHaveLength(100)
    expect(issuer.calls).toEqual({ jwks: 1, feed: 1, introspect: 0 })
  })

  it('go on by a timer until close, without a token to verify', async () => {
    vi.useFakeTimers()
    const issuer = await createTestIssuer()
    const { clock: _clock, ...options } = issuer.options('feed')
    const verifier = createVerifier({ ...options, background: true })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(issuer.calls.feed).toBeGreaterThanOrEqual(20)
    expect(verifier.state().feed?.lagSeconds).toBeLessThanOrEqual(0.5)
    verifier.close()
    const polls = issuer.calls.feed
    await vi.advanceTimersByTimeAsync(10_000)
    expect(issuer.calls.feed).toBe(polls)
  })

  it('that died with their request hold nobody up for longer than their deadline', async () => {
    vi.useFakeTimers()
    const issuer = await createTestIssuer()
    const { clock: _clock, ...options } = issuer.options('feed')
    let isDead = false
    // As workerd does it: neither an answer, nor a failure, nor an abort.
    const dead = new Promise<never>(() => undefined)
    const verifier = createVerifier({
      ...options,
      clock: { nowMs: () => issuer.time.issuerMs + performance.now() },
      fetch: (url, init) => (isDead && url.includes('revocations') ? dead : issuer.fetch(url, init)),
    })
    const token = await issuer.sign()
    expect(await verifier.verify(token)).toMatchObject({ ok: true, checked: 'feed' })
    isDead = true
    issuer.time.advance(20_000)
    const waiting = Promise.all([verifier.verify(token), verifier.verify(token)])
    await vi.advanceTimersByTimeAsync(3200)
    for (const result of await waiting) expect(result).toMatchObject({ ok: true, checked: 'introspection' })
    isDead = false
    await verifier.verify(token)
    await vi.advanceTimersByTimeAsync(10)
    expect(await verifier.verify(token)).toMatchObject({ ok: true, checked: 'feed' })
  })
})

describe('while the feed cannot be read', () => {
  it('answers from memory for its staleness, then by introspection', async () => {
    const { issuer, verify } = await follow()
    const [token, other] = [await issuer.sign({ sid: 'a-session' }), await issuer.sign()]
    expect(await verify(token)).toMatchObject({ ok: true, checked: 'feed' })
    const fetch = issuer.fetch.bind(issuer)
    issuer.fetch = (url, init) =>
      url.includes('revocations') ? Promise.reject(new TypeError('fetch failed')) : fetch(url, init)
    issuer.time.advance(10_000)
    expect(await verify(token)).toMatchObject({ ok: true, checked: 'feed', stalenessSeconds: 10 })
    issuer.time.advance(1)
    expect(await verify(token)).toMatchObject({ ok: true, checked: 'introspection', stalenessSeconds: 0 })
    issuer.revoke('sid', 'a-session')
    expect(await verify(token)).toMatchObject({ code: 'revoked', status: 401 })
    expect(await verify(other)).toMatchObject({ ok: true, checked: 'introspection' })
  })

  it.each(['refusing', 'lost', 503, 401] as const)('refuses with 503 when introspection is %s too', async (fault) => {
    const { issuer, verifier, verify } = await follow()
    const [token, revoked] = [await issuer.sign(), await issuer.sign({ sid: 'a-session' })]
    issuer.revoke('sid', 'a-session')
    expect(await verify(token)).toMatchObject({ ok: true })
    issuer.fault = fault
    issuer.time.advance(10_001)
    expect(await verify(token)).toMatchObject({ code: 'revocation_unknown', status: 503 })
    // What is known stays known.
    expect(await verify(revoked)).toMatchObject({ code: 'revoked', status: 401 })
    // An answer that is lost takes time, in which the next poll falls due.
    const failures = fault === 'lost' ? 2 : 1
    expect(verifier.state()).toMatchObject({ feed: { failures }, introspection: { failures: 1 } })
    issuer.fault = 'none'
    issuer.time.advance(500)
    expect(await verify(token)).toMatchObject({ ok: true })
    expect(await verify(token)).toMatchObject({ ok: true, checked: 'feed' })
  })

  it('asks the issuer once in the time of a poll, however many tokens wait for an answer', async () => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign()
    await verify(token)
    issuer.fault = 'refusing'
    issuer.time.advance(20_000)
    for (let i = 0; i < 100; i++) {
      expect(await verify(token)).toMatchObject({ code: 'revocation_unknown' })
      issuer.time.advance(25)
    }
    expect(issuer.calls.introspect).toBe(5)
  })

  it('gives an answer in time when the issuer never does', async () => {
    vi.useFakeTimers()
    const { issuer, verifier } = await follow()
    const token = await issuer.sign()
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    issuer.fault = 'hung'
    issuer.time.advance(20_000)
    const waiting = verifier.verify(token)
    await vi.advanceTimersByTimeAsync(6200)
    expect(await waiting).toMatchObject({ code: 'revocation_unknown' })
  })
})

it.each([
  ['an entry of a kind that it does not know', { entries: [{ kind: 'sub', id: 'x', exp: 1 }] }],
  ['the end of everyone’s sessions, but no time of it', { entries: [{ kind: 'all', id: 'x', exp: 1 }] }],
  ['an entry without exp', { entries: [{ kind: 'sid', id: 'x' }] }],
  ['no cursor', { cursor: undefined }],
  ['no as_of', { as_of: undefined }],
  ['the promise of more, and never more', { more: true, cursor: '0.0' }],
])('takes a page with %s for none', async (_what, change) => {
  const { issuer, verify, verifier } = await follow()
  const fetch = issuer.fetch.bind(issuer)
  issuer.fetch = async (url, init) => {
    const answer = await fetch(url, init)
    if (!url.includes('revocations')) return answer
    const page: unknown = JSON.parse(await answer.text())
    return { status: 200, text: async () => JSON.stringify(Object.assign({}, page, change)) }
  }
  expect(await verify(await issuer.sign())).toMatchObject({ ok: true, checked: 'introspection' })
  expect(verifier.state().feed).toMatchObject({ failures: 1 })
})
