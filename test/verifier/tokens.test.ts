import { describe, expect, it } from 'vitest'
import { exportSPKI, importJWK, SignJWT } from 'jose'
import { createVerifier, type RevocationMode } from '../../src/verifier/verifier.ts'
import { audience, createTestIssuer, makeKey, type Algorithm, type TestIssuer } from './support/issuer.ts'

const opaqueToken = (name: string) => `at1.${name.padEnd(94, '_')}`
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe.each(['ES256', 'EdDSA', 'RS256'] satisfies Algorithm[])('a token signed by %s', (alg) => {
  it.each(['feed', 'introspect', 'none'] satisfies RevocationMode[])('is accepted with revocation %s', async (mode) => {
    const issuer = await createTestIssuer([await makeKey('key-1', alg)])
    const verifier = createVerifier(issuer.options(mode))
    const token = await issuer.sign({ scope: 'read write', roles: ['user', 'admin'] })
    const checked = { feed: 'feed', introspect: 'introspection', none: 'signature' }[mode]
    const verifications = [await verifier.verify(token), await verifier.verify(token)]
    for (const verification of verifications)
      expect(verification).toMatchObject({
        ok: true,
        checked,
        claims: { sub: 'user-1', aud: audience, roles: ['user', 'admin'], scope: 'read write' },
      })
    expect(issuer.calls.jwks).toBe(1)
  })

  describe('is refused', () => {
    /** Each takes an issuer with a key, and gives a token that must not pass. */
    const bad: Record<string, readonly [string, (issuer: TestIssuer) => Promise<string> | string]> = {
      'when it has expired': ['expired', (issuer) => issuer.sign({ exp: seconds(issuer) - 10 })],
      'when it is not valid yet': ['invalid_token', (issuer) => issuer.sign({ nbf: seconds(issuer) + 60 })],
      'for another client’s audience': ['invalid_token', (issuer) => issuer.sign({ aud: ['https://b.example', 'x'] })],
      'from another issuer, be it by a slash': [
        'invalid_token',
        (issuer) => issuer.sign({ iss: 'https://auth.example.com/' }),
      ],
      'by a key that is not the issuer’s': [
        'invalid_token',
        async (issuer) => issuer.sign({}, {}, await makeKey('key-2', alg)),
      ],
      'by another key under the name of the issuer’s': [
        'invalid_token',
        async (issuer) => issuer.sign({}, {}, await makeKey('key-1', alg)),
      ],
      'with a changed payload': [
        'invalid_token',
        async (issuer) => {
          const [header, , signature] = (await issuer.sign()).split('.')
          return `${header}.${encode({ ...JSON.parse(atobUrl(await issuer.sign())), roles: ['admin'] })}.${signature}`
        },
      ],
      'as another type of JWT': ['invalid_token', (issuer) => issuer.sign({}, { typ: 'JWT' })],
      'without a type': ['invalid_token', (issuer) => issuer.sign({}, { typ: undefined })],
      'without a kid': ['invalid_token', (issuer) => issuer.sign({}, { kid: undefined })],
      unsigned: [
        'invalid_token',
        async (issuer) => {
          const [, payload] = (await issuer.sign()).split('.')
          return `${encode({ alg: 'none', kid: 'key-1', typ: 'at+jwt' })}.${payload}.`
        },
      ],
      'signed by HMAC with the public key': [
        'invalid_token',
        async (issuer) => {
          const [key] = issuer.keys
          const publicKey = await importJWK(key?.jwk ?? {}, alg, { extractable: true })
          if (publicKey instanceof Uint8Array) throw new TypeError('not a public key')
          return new SignJWT(JSON.parse(atobUrl(await issuer.sign())))
            .setProtectedHeader({ alg: 'HS256', kid: 'key-1', typ: 'at+jwt' })
            .sign(new TextEncoder().encode(await exportSPKI(publicKey)))
        },
      ],
      'with a key of its own in the header': [
        'invalid_token',
        async (issuer) => {
          const own = await makeKey('key-1', alg)
          return issuer.sign({}, { jwk: own.jwk, jku: 'https://evil.example/jwks' }, own)
        },
      ],
      'without a session': ['invalid_token', (issuer) => issuer.sign({ sid: undefined })],
      'when it is a refresh token': ['invalid_token', () => `rt1.${'A'.repeat(98)}`],
      'when it is no token': ['invalid_token', () => 'not a token'],
      'when it is too long to be one': ['invalid_token', () => 'a'.repeat(1_000_000)],
    }

    it.each(Object.entries(bad))('%s', async (_name, [code, make]) => {
      const issuer = await createTestIssuer([await makeKey('key-1', alg)])
      const token = await make(issuer)
      for (const mode of ['feed', 'introspect', 'none'] satisfies RevocationMode[]) {
        const verifier = createVerifier(issuer.options(mode))
        const result = await verifier.verify(token)
        expect(result).toMatchObject({ ok: false, code, status: 401 })
        expect(JSON.stringify(result)).not.toContain(token.slice(0, 40))
      }
      expect(issuer.calls.introspect).toBe(0)
    })
  })
})

it('accepts alg of the key alone, be the signature good or not', async () => {
  const rsa = await makeKey('key-1', 'RS256')
  const issuer = await createTestIssuer([{ ...rsa, jwk: { ...rsa.jwk, alg: 'PS256' } }, await makeKey('key-2')])
  const verifier = createVerifier(issuer.options('none'))
  expect(await verifier.verify(await issuer.sign())).toMatchObject({ ok: false, code: 'invalid_token' })
})

it('accepts one of several audiences, and a token for several', async () => {
  const issuer = await createTestIssuer()
  const verifier = createVerifier({ ...issuer.options('none'), audience: ['https://a.example', 'https://b.example'] })
  const token = await issuer.sign({ aud: ['https://b.example', 'https://c.example'] })
  expect(await verifier.verify(token)).toMatchObject({ ok: true })
})

it('accepts a token up to the tolerance after its end, and no longer, be it remembered or not', async () => {
  const issuer = await createTestIssuer()
  const verifier = createVerifier(issuer.options('none'))
  const token = await issuer.sign()
  issuer.time.advance(306_000)
  expect(await verifier.verify(token)).toMatchObject({ ok: true })
  issuer.time.advance(1000)
  expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'expired', status: 401 })
  expect(verifier.state()).toMatchObject({ remembered: 0, accepted: 1, refused: { expired: 1 } })
})

it('hands out claims that cannot be changed for the next caller', async () => {
  const issuer = await createTestIssuer()
  const verifier = createVerifier(issuer.options('none'))
  const result = await verifier.verify(await issuer.sign())
  if (!result.ok) throw new Error(result.detail)
  expect(Object.isFrozen(result.claims) && Object.isFrozen(result.claims.roles)).toBe(true)
})

describe('an opaque token', () => {
  it('is introspected each time', async () => {
    const issuer = await createTestIssuer()
    issuer.opaque(opaqueToken('known'), { sid: 'sid-o', scope: 'read' })
    for (const mode of ['feed', 'introspect'] satisfies RevocationMode[]) {
      const verifier = createVerifier(issuer.options(mode))
      expect(await verifier.verify(opaqueToken('known'))).toMatchObject({
        ok: true,
        checked: 'introspection',
        claims: { scope: 'read' },
      })
      expect(await verifier.verify(opaqueToken('unknown'))).toMatchObject({ ok: false, code: 'invalid_token' })
    }
    issuer.revoke('sid', 'sid-o')
    const verifier = createVerifier(issuer.options('feed'))
    expect(await verifier.verify(opaqueToken('known'))).toMatchObject({ ok: false, status: 401 })
    expect(issuer.calls).toMatchObject({ introspect: 5, jwks: 0 })
  })

  it('is refused when it is for another audience, or from another issuer', async () => {
    const issuer = await createTestIssuer()
    issuer.opaque(opaqueToken('aud'), { aud: 'https://other.example' })
    issuer.opaque(opaqueToken('iss'), { iss: 'https://other.example' })
    const verifier = createVerifier(issuer.options('introspect'))
    for (const token of [opaqueToken('aud'), opaqueToken('iss')])
      expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'invalid_token' })
  })

  it('cannot be told while the issuer is down, and is refused where nobody may ask', async () => {
    const issuer = await createTestIssuer()
    issuer.fault = 503
    const [asking, alone] = [createVerifier(issuer.options('feed')), createVerifier(issuer.options('none'))]
    expect(await asking.verify(opaqueToken('known'))).toMatchObject({ code: 'revocation_unknown', status: 503 })
    expect(await alone.verify(opaqueToken('known'))).toMatchObject({ code: 'invalid_token', status: 401 })
  })
})

function seconds({ time }: TestIssuer): number {
  return Math.floor(time.issuerMs / 1000)
}

/** The payload of a JWT, as text. */
function atobUrl(token: string): string {
  return Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
}
