import { generateKeyPair } from 'jose'
import { expect, it, vi } from 'vitest'
import { signAccessToken, type AccessClaims } from '../../src/tokens/access.ts'
import { readAccessToken } from '../../src/tokens/active-token.ts'
import { createCheckedTokens } from '../../src/tokens/checked-tokens.ts'
import type { KeyRing } from '../../src/tokens/keyring.ts'
import { testParts } from '../support/parts.ts'
import { audience, issuer } from '../support/stack.ts'

const NOW_MS = 1_800_000_000_000
const IAT = NOW_MS / 1000

async function makeRing(kid: string): Promise<KeyRing> {
  const pair = await generateKeyPair('ES256')
  const signing = { ...pair, kid, alg: 'ES256' as const, publicJwk: {} }
  return { keys: [signing], signing }
}

function claimsOf(jti: string): AccessClaims {
  const ids = { sub: 'u', client_id: 'app', jti, sid: 's' }
  return { iss: issuer, aud: audience, iat: IAT, exp: IAT + 300, auth_time: IAT, roles: [], ...ids }
}

/** Verifies, and says whether the token was good and how many signatures were looked at. */
async function begin() {
  const { parts } = await testParts()
  const looked = vi.spyOn(crypto.subtle, 'verify')
  return async (token: string, ring: KeyRing, nowMs = NOW_MS) => {
    looked.mockClear()
    const keyRing = { ...parts.keyRing, current: () => Promise.resolve(ring) }
    const { ok } = await readAccessToken({ ...parts, keyRing, clock: { nowMs: () => nowMs } }, token)
    return { ok, signatures: looked.mock.calls.length }
  }
}

it('looks at the signature of a good token once, and at a forged one each time', async () => {
  const [ring, verify] = [await makeRing('k'), await begin()]
  const token = await signAccessToken(claimsOf('j'), ring)
  expect(await verify(token, ring)).toEqual({ ok: true, signatures: 1 })
  expect(await verify(token, ring)).toEqual({ ok: true, signatures: 0 })
  const forged = await signAccessToken(claimsOf('j'), await makeRing('k'))
  expect(await verify(forged, ring)).toEqual({ ok: false, signatures: 1 })
  expect(await verify(forged, ring)).toEqual({ ok: false, signatures: 1 })
})

it('takes no remembered token that has expired or whose key is published no longer', async () => {
  const [ring, verify] = [await makeRing('k'), await begin()]
  const token = await signAccessToken(claimsOf('j'), ring)
  await verify(token, ring)
  expect((await verify(token, ring, NOW_MS + 299_999)).ok).toBe(true)
  expect((await verify(token, ring, NOW_MS + 300_000)).ok).toBe(false)
  // Another key, even of the same name, says nothing for a token that it did not sign.
  expect((await verify(token, await makeRing('k'))).ok).toBe(false)
  expect((await verify(token, await makeRing('other'))).ok).toBe(false)
  expect(await verify(token, ring)).toEqual({ ok: true, signatures: 0 })
})

it('remembers five thousand tokens, those that were used last', async () => {
  const ring = await makeRing('k')
  const checked = createCheckedTokens()
  const { publicKey } = ring.signing
  for (let i = 0; i <= 5000; i++) {
    const token = { userId: 'u', sid: 's', jti: `${i}`, iat: IAT, exp: IAT + 300 }
    checked.remember(`token-${i}`, { token, kid: 'k', publicKey })
    checked.find('token-0', NOW_MS)
  }
  const isKnown = (i: number) => checked.find(`token-${i}`, NOW_MS) !== undefined
  expect([0, 1, 2, 5000].map(isKnown)).toEqual([true, false, true, true])
})
