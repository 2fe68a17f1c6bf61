import { describe, expect, it } from 'vitest'
import { createVerifier, type Verification, type Verifier } from '../../src/verifier/verifier.ts'
import { createTestIssuer, makeKey } from './support/issuer.ts'

const MINUTE_MS = 60_000

/** Every kid another, of a token that otherwise looks like one of the issuer's. */
function tokensOfUnknownKeys(token: string): (n: number) => string {
  const [, payload, signature] = token.split('.')
  return (n) => {
    const header = JSON.stringify({ alg: 'ES256', kid: `random-${n}`, typ: 'at+jwt' })
    return `${Buffer.from(header).toString('base64url')}.${payload}.${signature}`
  }
}

/** Verifies, and waits for what that began in the background. */
async function verifyToTheEnd(verifier: Verifier, token: string): Promise<Verification> {
  const begun: Promise<unknown>[] = []
  const result = await verifier.verify(token, { waitUntil: (promise) => void begun.push(promise) })
  await Promise.all(begun)
  return result
}

describe('unknown kids', () => {
  it.each(['none', 'refusing'] as const)('cost one fetch in 30 s, 100,000 of them, with fault %s', async (fault) => {
    const issuer = await createTestIssuer()
    const verifier = createVerifier(issuer.options('none'))
    const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 3600 })
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    issuer.time.advance(30_000)
    issuer.fault = fault
    const unknown = tokensOfUnknownKeys(token)
    const codes = new Set<string>()
    for (let n = 0; n < 100_000; n++) {
      const result = await verifier.verify(unknown(n))
      codes.add(result.ok ? 'ok' : result.code)
      // 100 s of fake time in all, so four fetches: at 0, 30, 60 and 90 s.
      issuer.time.advance(1)
    }
    expect(issuer.calls.jwks).toBe(1 + 4)
    // Whether a kid is new or made up cannot be told while the key set cannot be fetched.
    expect([...codes]).toEqual([fault === 'none' ? 'invalid_token' : 'keys_unavailable'])
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
  })

  it('share one fetch when they come at once', async () => {
    const issuer = await createTestIssuer()
    const verifier = createVerifier(issuer.options('none'))
    const unknown = tokensOfUnknownKeys(await issuer.sign())
    await Promise.all(Array.from({ length: 1000 }, (_, n) => verifier.verify(unknown(n))))
    expect(issuer.calls.jwks).toBe(1)
  })
})

describe('a key', () => {
  it('that is new is found by its first token', async () => {
    const issuer = await createTestIssuer()
    const verifier = createVerifier(issuer.options('none'))
    expect(await verifier.verify(await issuer.sign())).toMatchObject({ ok: true })
    issuer.keys.push(await makeKey('key-2'))
    issuer.time.advance(30_000)
    expect(await verifier.verify(await issuer.sign({}, {}, issuer.keys[1]))).toMatchObject({ ok: true })
    expect(issuer.calls.jwks).toBe(2)
  })

  it('that the issuer no longer publishes is dropped within its next fetch, with the tokens remembered of it', async () => {
    const issuer = await createTestIssuer([await makeKey('key-1'), await makeKey('key-2')])
    const verifier = createVerifier(issuer.options('none'))
    const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 3600 })
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    issuer.keys.shift()
    issuer.time.advance(5 * MINUTE_MS)
    // Answered while the keys are fetched again.
    const begun: Promise<unknown>[] = []
    expect(await verifier.verify(token, { waitUntil: (promise) => void begun.push(promise) })).toMatchObject({
      ok: true,
    })
    await Promise.all(begun)
    expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'invalid_token' })
    expect(verifier.state()).toMatchObject({ remembered: 0, keys: { kids: ['key-2'], fetches: 2 } })
  })

  it('that is fetched again unchanged keeps its remembered tokens', async () => {
    const issuer = await createTestIssuer()
    const verifier = createVerifier(issuer.options('none'))
    const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 3600 })
    await verifier.verify(token)
    issuer.time.advance(5 * MINUTE_MS)
    await verifyToTheEnd(verifier, token)
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    expect(verifier.state()).toMatchObject({ remembered: 1, keys: { fetches: 2 } })
  })

  it('that cannot be used harms no other', async () => {
    const issuer = await createTestIssuer()
    const broken = await makeKey('broken')
    issuer.keys.unshift({ ...broken, jwk: { kid: 'broken', alg: 'ES256', kty: 'EC', crv: 'P-256', x: '!', y: '!' } })
    issuer.keys.unshift({ ...broken, jwk: { kid: 'secret', alg: 'HS256', kty: 'oct', k: 'c2VjcmV0' } })
    const verifier = createVerifier(issuer.options('none'))
    expect(await verifier.verify(await issuer.sign({}, {}, issuer.keys[2]))).toMatchObject({ ok: true })
    expect(verifier.state().keys.kids).toEqual(['key-1'])
  })
})

describe('while the issuer is down', () => {
  it('a verifier that never had keys says so, and recovers by itself', async () => {
    const issuer = await createTestIssuer()
    issuer.fault = 'refusing'
    for (const mode of ['feed', 'introspect', 'none'] as const) {
      issuer.fault = 'refusing'
      const verifier = createVerifier(issuer.options(mode))
      const token = await issuer.sign()
      expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'keys_unavailable', status: 503 })
      issuer.fault = 'none'
      issuer.time.advance(30_000)
      expect(await verifier.verify(token)).toMatchObject({ ok: true })
    }
  })

  it('known keys verify for an hour with `none`, feed mode refuses after its staleness; both recover', async () => {
    const issuer = await createTestIssuer()
    const [alone, following] = [createVerifier(issuer.options('none')), createVerifier(issuer.options('feed'))]
    const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 100_000 })
    for (const verifier of [alone, following]) expect(await verifier.verify(token)).toMatchObject({ ok: true })
    issuer.fault = 'refusing'
    issuer.time.advance(10_000)
    expect(await following.verify(token)).toMatchObject({ ok: true, checked: 'feed' })
    for (let minute = 0; minute < 60; minute++) {
      issuer.time.advance(MINUTE_MS)
      expect(await alone.verify(token)).toMatchObject({ ok: true, checked: 'signature' })
      expect(await following.verify(token)).toMatchObject({ code: 'revocation_unknown', status: 503 })
    }
    issuer.time.advance(6 * MINUTE_MS)
    expect(await alone.verify(token)).toMatchObject({ code: 'keys_unavailable', status: 503 })
    issuer.fault = 'none'
    issuer.time.advance(30_000)
    for (const verifier of [alone, following]) expect(await verifier.verify(token)).toMatchObject({ ok: true })
  })

  it('an empty or broken key set changes nothing', async () => {
    const issuer = await createTestIssuer()
    const verifier = createVerifier(issuer.options('none'))
    const token = await issuer.sign({ exp: issuer.time.issuerMs / 1000 + 3600 })
    await verifier.verify(token)
    issuer.keys.length = 0
    issuer.time.advance(10 * MINUTE_MS)
    await verifyToTheEnd(verifier, token)
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    expect(verifier.state().keys).toMatchObject({ kids: ['key-1'], failures: 1 })
  })
})
