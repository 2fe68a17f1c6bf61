import { describe, expect, it } from 'vitest'
import { answerWith, follow } from './support/follow.ts'
import type { TestIssuer } from './support/issuer.ts'

const opaqueToken = (name: string) => `at1.${name.padEnd(94, '_')}`

/** Holds introspections back until told, and counts how many there are at once. */
function holdIntrospections(issuer: TestIssuer) {
  const fetch = issuer.fetch.bind(issuer)
  const held: (() => void)[] = []
  const seen = { most: 0, now: 0 }
  issuer.fetch = async (url, init) => {
    if (!url.includes('introspect')) return fetch(url, init)
    seen.now += 1
    seen.most = Math.max(seen.most, seen.now)
    await new Promise<void>((resolve) => held.push(resolve))
    seen.now -= 1
    return fetch(url, init)
  }
  return {
    seen,
    /** Waits until `count` are asked at once, and then lets the issuer answer until all have their answers. */
    async release<T>(answers: Promise<T>, count: number): Promise<T> {
      const tick = () => new Promise((resolve) => setImmediate(resolve))
      while (held.length < count) await tick()
      let over = false
      const isOver = () => over
      void answers.finally(() => (over = true))
      while (!isOver()) {
        for (const answer of held.splice(0)) answer()
        await tick()
      }
      return answers
    },
  }
}

describe('while the feed cannot be read', () => {
  it('one token finds out whether the issuer answers, and the others are refused at once', async () => {
    const { issuer, verifier, verify } = await follow()
    const tokens = await Promise.all(Array.from({ length: 300 }, () => issuer.sign()))
    for (const token of tokens) await verify(token)
    answerWith(issuer, 'revocations', 503)
    issuer.time.advance(20_000)
    await verifier.verify(tokens[0] ?? '')
    issuer.time.advance(20_000)
    const held = holdIntrospections(issuer)
    const answers = Promise.all(tokens.map((token) => verifier.verify(token)))
    const oks = (await held.release(answers, 1)).filter(({ ok }) => ok)
    expect([held.seen.most, oks.length]).toEqual([1, 1])
    // It does.
    const next = Promise.all(tokens.map((token) => verifier.verify(token)))
    expect((await held.release(next, 16)).filter(({ ok }) => ok)).toHaveLength(300)
    expect(held.seen.most).toBe(16)
  })

  it('a call to an issuer that refuses is made once, however many tokens come at once', async () => {
    const { issuer, verifier, verify } = await follow()
    const tokens = await Promise.all(Array.from({ length: 300 }, () => issuer.sign()))
    for (const token of tokens) await verify(token)
    issuer.fault = 'refusing'
    issuer.time.advance(20_000)
    const answers = await Promise.all(tokens.map((token) => verifier.verify(token)))
    expect(new Set(answers.map((one) => !one.ok && one.code))).toEqual(new Set(['revocation_unknown']))
    expect(issuer.calls.introspect).toBe(1)
  })

  it('a thousand questions about one token are one call', async () => {
    const { issuer, verifier } = await follow()
    answerWith(issuer, 'revocations', 503)
    const token = await issuer.sign()
    await verifier.verify(token)
    const answers = await Promise.all(Array.from({ length: 1000 }, () => verifier.verify(token)))
    expect(answers.every(({ ok }) => ok)).toBe(true)
    expect(issuer.calls.introspect).toBe(1 + 1)
  })
})

describe('with introspection as the mode', () => {
  it('tokens that come at once are all checked, sixteen at a time', async () => {
    const { issuer, verifier } = await follow('introspect')
    const tokens = await Promise.all(Array.from({ length: 100 }, () => issuer.sign()))
    const held = holdIntrospections(issuer)
    const answers = Promise.all(tokens.map((token) => verifier.verify(token)))
    expect((await held.release(answers, 16)).every(({ ok }) => ok)).toBe(true)
    expect(held.seen.most).toBe(16)
  })

  it('a token that expires while the issuer is asked is refused', async () => {
    const { issuer, verify } = await follow('introspect')
    const token = await issuer.sign()
    const fetch = issuer.fetch.bind(issuer)
    issuer.fetch = async (url, init) => {
      const answer = await fetch(url, init)
      if (url.includes('introspect')) issuer.time.advance(310_000)
      return answer
    }
    expect(await verify(token)).toMatchObject({ ok: false, code: 'expired' })
  })
})

it('refuses a token that expired by the issuer’s clock, which is known once the feed was read', async () => {
  const { issuer, verify } = await follow()
  const token = await issuer.sign({ sid: 'gone' })
  issuer.time.advance(400_000)
  issuer.time.wallMs -= 600_000
  expect(await verify(token)).toMatchObject({ ok: false, code: 'expired' })
})

describe('an opaque token', () => {
  it('that does not look like one costs the issuer nothing', async () => {
    const { issuer, verify } = await follow()
    for (const token of ['at1.x', `at1.${'x'.repeat(93)}`, `at1.${'x'.repeat(95)}`, `at1.${'x'.repeat(93)}.`, `at1.`])
      expect(await verify(token)).toMatchObject({ ok: false, code: 'invalid_token' })
    expect(issuer.calls.introspect).toBe(0)
  })

  it('is refused without a call where opaque tokens are not taken', async () => {
    const { issuer, verify } = await follow('feed', { opaque: false })
    issuer.opaque(opaqueToken('known'))
    expect(await verify(opaqueToken('known'))).toMatchObject({ ok: false, code: 'invalid_token' })
    expect(issuer.calls.introspect).toBe(0)
  })

  it.each([400, 413])('that the issuer answers with %i is a bad token, and no outage', async (status) => {
    const { issuer, verify } = await follow()
    const token = await issuer.sign()
    answerWith(issuer, 'revocations', 503)
    const restore = answerWith(issuer, 'introspect', status)
    expect(await verify(opaqueToken('odd'))).toMatchObject({ ok: false, code: 'invalid_token', status: 401 })
    restore()
    expect(await verify(token)).toMatchObject({ ok: true, checked: 'introspection' })
  })

  it('is not asked about while the issuer has just failed', async () => {
    const { issuer, verify } = await follow()
    issuer.fault = 'refusing'
    for (let n = 0; n < 100; n++) {
      expect(await verify(opaqueToken(`t${n}`))).toMatchObject({ code: 'revocation_unknown' })
      issuer.time.advance(25)
    }
    expect(issuer.calls.introspect).toBe(5)
  })
})
