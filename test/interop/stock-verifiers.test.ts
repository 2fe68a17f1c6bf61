import { createVerifier } from 'fast-jwt'
import { Hono } from 'hono'
import { jwk } from 'hono/jwk'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import createJwksClient from 'jwks-rsa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BadKind, badKinds, badTokens } from '../support/bad-tokens.ts'
import { audience, issuer, startStack, type Stack } from '../support/stack.ts'
import { shouldTest, startVerifier, type StockVerifier } from '../support/stock-verifiers.ts'
import { bearer, createUser } from '../support/user.ts'

type Start = (keySetUrl: string) => StockVerifier | Promise<StockVerifier>

/** Each as its documentation shows it, with what it must be told to be safe. */
const verifiers: Readonly<Record<string, Start>> = {
  jose(keySetUrl) {
    const keySet = createRemoteJWKSet(new URL(keySetUrl))
    const required = { issuer, audience, typ: 'at+jwt', requiredClaims: ['exp'] }
    return inThisProcess(async (token) => void (await jwtVerify(token, keySet, required)))
  },

  'fast-jwt with jwks-rsa'(keySetUrl) {
    const client = createJwksClient({ jwksUri: keySetUrl })
    const verify = createVerifier({
      key: async ({ header }: { header: { kid?: string } }) => (await client.getSigningKey(header.kid)).getPublicKey(),
      algorithms: ['ES256'],
      allowedIss: issuer,
      allowedAud: audience,
      // Neither is looked at by default, and a claim that is missing is not checked.
      checkTyp: 'at+jwt',
      requiredClaims: ['iss', 'aud', 'exp'],
    })
    return inThisProcess(async (token) => void (await verify(token)))
  },

  'hono’s jwk middleware'(keySetUrl) {
    // Without `typ` it takes JWT alone, and would refuse every token of ours.
    const verification = { iss: issuer, aud: audience, typ: 'at+jwt' }
    const service = new Hono()
      .use(jwk({ jwks_uri: keySetUrl, alg: ['ES256'], verification }))
      .get('/', (c) => c.text('welcome'))
      .onError((error, c) => c.text(`refused: ${String(error.cause)}`, 401))
    return inThisProcess(async (token) => {
      const answer = await service.request('/', bearer(token))
      if (answer.status !== 200) throw new Error(await answer.text())
    })
  },

  PyJWT: (keySetUrl) => startVerifier('PyJWT', { keySetUrl, issuer, audience }),
  'go-jose': (keySetUrl) => startVerifier('go-jose', { keySetUrl, issuer, audience }),
}

function inThisProcess(verify: StockVerifier['verify']): StockVerifier {
  return { verify, stop: () => undefined }
}

/** Why each is refused, in the words of any of them: a token that is bad in two ways would prove nothing. */
const reasons: Readonly<Record<BadKind, RegExp>> = {
  expired: /expir|"exp"/u,
  'not valid yet': /nbf|active|before it's valid/u,
  'for another audience': /aud/iu,
  'of another issuer': /iss/iu,
  'of an unknown key': /key|invalid JWT token/u,
  'signed by another key': /signature|cryptographic/iu,
  'of another type': /typ|header is invalid/u,
  'not signed': /alg|signature is missing|header is invalid/u,
  'signed with the public key as a secret': /alg/u,
  'a refresh token': /JWS|malformed|segments|invalid JWT token/u,
  'a client’s token': /aud/iu,
}

const absent = (['PyJWT', 'go-jose'] as const).filter((kind) => !shouldTest(kind))

let stack: Stack
let good: string
let bad: ReadonlyMap<BadKind, string>

beforeAll(async () => {
  stack = await startStack()
  const tokens = await (await createUser(stack)).login()
  good = tokens.access_token
  bad = new Map((await badTokens(stack, tokens)).map(({ name, token }) => [name, token]))
})
afterAll(() => stack.stop())

for (const [name, start] of Object.entries(verifiers)) {
  describe.skipIf(absent.some((one) => one === name))(`a service with ${name}`, () => {
    let verifier: StockVerifier
    beforeAll(async () => {
      verifier = await start(`${stack.addressOf(0)}/.well-known/jwks.json`)
    })
    afterAll(() => verifier.stop())

    it.each(badKinds)('refuses a bad token (%s), and takes the next good one', async (kind) => {
      await expect(verifier.verify(bad.get(kind) ?? '')).rejects.toThrow(reasons[kind])
      await expect(verifier.verify(good)).resolves.toBeUndefined()
    })
  })
}
