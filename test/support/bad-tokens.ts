import { decodeJwt, exportSPKI, generateKeyPair, importJWK, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { signWithRing } from './ring.ts'
import { issuer, type Stack } from './stack.ts'
import { readKeySet } from './stock-verifiers.ts'
import type { Tokens } from './user.ts'

/** What is wrong with each of the tokens that every verifier must refuse. */
export const badKinds = [
  'expired',
  'not valid yet',
  'for another audience',
  'of another issuer',
  'of an unknown key',
  'signed by another key',
  'of another type',
  'not signed',
  'signed with the public key as a secret',
  'a refresh token',
  'a client’s token',
] as const

export type BadKind = (typeof badKinds)[number]

const TEN_MINUTES = 600

/**
 * A token of each bad kind, made from a good answer of the service. All but the forged ones are signed by the service's
 * own key, so that what is wrong with them is one thing only. Times are ten minutes off: more than any verifier's leeway.
 */
export async function badTokens(stack: Stack, good: Tokens): Promise<{ name: BadKind; token: string }[]> {
  const claims = decodeJwt(good.access_token)
  const nowSeconds = Math.floor(stack.nowMs() / 1000)
  const [published] = await readKeySet(stack)
  if (!published) throw new Error('the key set is empty')
  const { kid } = published
  const publicKey = await importJWK(published, 'ES256', { extractable: true })
  if (publicKey instanceof Uint8Array) throw new Error('the published key is a secret')
  const pem = new TextEncoder().encode(await exportSPKI(publicKey))
  const stranger = await generateKeyPair('ES256')

  const signed = (changes: JWTPayload, header: object = {}) =>
    signWithRing(stack.redis.url, { typ: 'at+jwt', ...header }, { ...claims, ...changes })
  const forged = (alg: string, key: Parameters<SignJWT['sign']>[0]) =>
    new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'at+jwt' }).sign(key)
  const tokens: Record<BadKind, string | Promise<string>> = {
    expired: signed({ iat: nowSeconds - 2 * TEN_MINUTES, exp: nowSeconds - TEN_MINUTES }),
    'not valid yet': signed({ nbf: nowSeconds + TEN_MINUTES, exp: nowSeconds + 2 * TEN_MINUTES }),
    'for another audience': signed({ aud: 'https://other.example.com' }),
    'of another issuer': signed({ iss: 'https://evil.example.com' }),
    'of an unknown key': signed({}, { kid: 'unknown' }),
    'signed by another key': forged('ES256', stranger.privateKey),
    'of another type': signed({}, { typ: 'JWT' }),
    'not signed': withHeader(new UnsecuredJWT(claims).encode(), { alg: 'none', kid, typ: 'at+jwt' }),
    'signed with the public key as a secret': forged('HS256', pem),
    'a refresh token': good.refresh_token,
    // A service's own, good for Latchkey's interface alone: no user, no session, and Latchkey as its audience.
    'a client’s token': signed({ aud: issuer, sub: 'api', client_id: 'api', sid: undefined, roles: undefined }),
  }
  return Promise.all(badKinds.map(async (name) => ({ name, token: await tokens[name] })))
}

function withHeader(token: string, header: object): string {
  return token.replace(/^[^.]*/u, Buffer.from(JSON.stringify(header)).toString('base64url'))
}
