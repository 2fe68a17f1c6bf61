import { afterEach, expect, it, vi } from 'vitest'
import { createVerifier, type VerifierOptions } from '../../src/verifier/verifier.ts'
import { audience, createTestIssuer, credentials, issuer } from './support/issuer.ts'

afterEach(() => void vi.unstubAllGlobals())

const good: VerifierOptions = { issuer, audience, revocation: 'feed', ...credentials, background: false }

it.each<readonly [string, Record<string, unknown>, RegExp]>([
  ['an issuer that is no URL', { issuer: 'auth.example.com' }, /issuer must be a URL/],
  ['an issuer over http', { issuer: 'http://auth.example.com' }, /issuer must be an https URL/],
  ['an issuer with a query', { issuer: 'https://auth.example.com/?a' }, /without query/],
  ['an issuer with a password', { issuer: 'https://a:b@auth.example.com' }, /without query, fragment and credentials/],
  ['no audience', { audience: undefined }, /audience must be/],
  ['an empty list of audiences', { audience: [] }, /audience must be/],
  ['an unknown mode', { revocation: 'cache' }, /revocation must be 'feed', 'introspect' or 'none'/],
  ['feed without credentials', { clientSecret: undefined }, /clientId and clientSecret .* 'feed' needs them/],
  ['introspect without credentials', { revocation: 'introspect', clientId: '' }, /'introspect' needs them/],
  ['a negative staleness', { maxStalenessSeconds: -1 }, /maxStalenessSeconds must be a number from 0 to 3600/],
  ['a staleness that is a text', { maxStalenessSeconds: '10' }, /maxStalenessSeconds/],
  ['polls without a pause', { pollSeconds: 0 }, /pollSeconds/],
  ['more tolerance than a minute', { clockToleranceSeconds: 61 }, /clockToleranceSeconds/],
  ['a name that it does not know', { maxStaleness: 1 }, /maxStaleness must be left out/],
  ['polls rarer than its staleness', { pollSeconds: 11 }, /pollSeconds must be no more than maxStalenessSeconds/],
  ['more tolerance than the issuer’s memory', { clockToleranceSeconds: 51 }, /clockToleranceSeconds/],
  ['half a token', { rememberedTokens: 0.5 }, /rememberedTokens must be an integer/],
  ['an issuer with a space', { issuer: ` ${issuer}` }, /nor white space/],
  ['an issuer with a new line', { issuer: `${issuer}\n` }, /nor white space/],
  ['no time to answer', { timeoutSeconds: Number.NaN }, /timeoutSeconds/],
])('refuses %s', (_what, change, message) => {
  const options = Object.assign({}, good, change)
  expect(() => createVerifier(options)).toThrow(message)
  expect(() => createVerifier(options)).toThrow(TypeError)
})

it.each(['http://localhost:8787', 'http://127.0.0.1:1', 'http://[::1]:1', 'http://auth.localhost', 'https://a.b/c/'])(
  'takes %s for an issuer',
  (url) => {
    expect(createVerifier({ ...good, issuer: url }).state()).toMatchObject({ accepted: 0 })
  },
)

it('compares the issuer byte for byte, and finds its endpoints with or without a slash at the end', async () => {
  const test = await createTestIssuer()
  const verifier = createVerifier({ ...test.options('feed'), issuer: `${issuer}/` })
  expect(await verifier.verify(await test.sign({ iss: `${issuer}/` }))).toMatchObject({ ok: true })
  expect(await verifier.verify(await test.sign())).toMatchObject({ ok: false, code: 'invalid_token' })
})

it('sends the secret to the endpoints that need it alone, and follows no redirect', async () => {
  const test = await createTestIssuer()
  const seen: (readonly [string, boolean, string])[] = []
  const verifier = createVerifier({
    ...test.options('introspect'),
    fetch: (url, init) => {
      seen.push([new URL(url).pathname, 'authorization' in init.headers, init.redirect])
      return test.fetch(url, init)
    },
  })
  expect(await verifier.verify(await test.sign())).toMatchObject({ ok: true })
  expect(seen).toEqual([
    ['/.well-known/jwks.json', false, 'manual'],
    ['/oauth/introspect', true, 'manual'],
  ])
})

it('starts no timer in workerd', () => {
  vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
  const interval = vi.spyOn(globalThis, 'setInterval')
  const { background: _background, ...options } = good
  createVerifier(options)
  expect(interval).not.toHaveBeenCalled()
})
