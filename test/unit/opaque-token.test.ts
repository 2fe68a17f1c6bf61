import fc from 'fast-check'
import { base64url } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/system.ts'
import { mintOpaqueToken, parseOpaqueToken, type OpaqueKeys } from '../../src/tokens/opaque.ts'
import { mintId } from '../../src/tokens/refresh.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'

const invalid = { ok: false, failure: { reason: 'token_invalid' } }
const T0 = 1_800_000_000

let keys: OpaqueKeys
let otherKeys: OpaqueKeys
beforeAll(async () => {
  keys = [(await deriveKeys(systemRandom.bytes(32))).opaque]
  otherKeys = [(await deriveKeys(systemRandom.bytes(32))).opaque]
})

const token = (changes = {}) => ({
  userId: mintId(systemRandom),
  sid: mintId(systemRandom),
  jti: mintId(systemRandom),
  iat: T0,
  exp: T0 + 300,
  ...changes,
})
const parse = (presented: string, by = keys, atSeconds = T0) => parseOpaqueToken(presented, by, atSeconds * 1000)

describe('an opaque access token', () => {
  it('is read back as it was minted, by the current secret and by the previous one', async () => {
    const lifetime = fc.integer({ min: 1, max: 600 })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 4_000_000_000 }), lifetime, async (iat, seconds) => {
        const made = token({ iat, exp: iat + seconds })
        const minted = await mintOpaqueToken(made, keys)
        expect(minted).toMatch(/^at1\.[\w-]{94}$/)
        expect(await parse(minted, keys, iat)).toEqual({ ok: true, value: made })
        expect(await parse(minted, [...otherKeys, ...keys], iat)).toEqual({ ok: true, value: made })
        expect(await parse(minted, otherKeys, iat)).toEqual(invalid)
      }),
    )
  })

  it('is refused from the second in which it expires', async () => {
    const minted = await mintOpaqueToken(token(), keys)
    expect(await parse(minted, keys, T0 + 299)).toMatchObject({ ok: true })
    expect(await parse(minted, keys, T0 + 300)).toEqual(invalid)
  })

  it('is refused with any bit flipped, cut off, lengthened or spelled otherwise', async () => {
    const minted = await mintOpaqueToken(token(), keys)
    const body = base64url.decode(minted.slice(4))
    for (const [at, byte] of body.entries())
      for (let bit = 0; bit < 8; bit++) {
        const flipped = new Uint8Array(body)
        flipped[at] = byte ^ (1 << bit)
        expect(await parse(`at1.${base64url.encode(flipped)}`)).toEqual(invalid)
      }
    for (let length = 0; length < minted.length; length++) expect(await parse(minted.slice(0, length))).toEqual(invalid)
    const last = minted.slice(-1)
    for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. '.replace(last, ''))
      expect(await parse(minted.slice(0, -1) + letter)).toEqual(invalid)
    for (const more of ['A', '=', ' ', '\n']) expect(await parse(minted + more)).toEqual(invalid)
    expect(await parse(`rt1.${minted.slice(4)}`)).toEqual(invalid)
  })

  it('shows its holder nothing: two tokens of one session share no run of bytes', async () => {
    const { userId, sid } = token()
    const bodies = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const minted = await mintOpaqueToken(token({ userId, sid }), keys)
        return Buffer.from(minted.slice(4), 'base64url').toString('hex')
      }),
    )
    const known = [userId, sid].map((id) => Buffer.from(id, 'base64url').toString('hex'))
    for (const body of bodies) for (const id of known) expect(body).not.toContain(id.slice(0, 8))
    // Four bytes that two of fifty random tokens share at one place come about once in a hundred thousand runs.
    const runs = bodies.flatMap((body) =>
      Array.from({ length: body.length / 8 }, (_, i) => `${i} ${body.slice(i * 8, i * 8 + 8)}`),
    )
    expect(new Set(runs).size).toBe(runs.length)
  })
})
