import fc from 'fast-check'
import { base64url } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/system.ts'
import {
  beginFamily,
  familyDigest,
  mintRefreshToken,
  parseRefreshToken,
  type MacKeys,
} from '../../src/tokens/refresh.ts'
import { deriveKeys } from '../../src/tokens/service-secret.ts'

const malformed = { ok: false, failure: { reason: 'malformed' } }

let macKeys: MacKeys
let otherKeys: MacKeys

beforeAll(async () => {
  macKeys = [(await deriveKeys(systemRandom.bytes(32))).refreshMac]
  otherKeys = [(await deriveKeys(systemRandom.bytes(32))).refreshMac]
})

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const anyToken = fc.record({
  userId: bytes(16).map((id) => base64url.encode(id)),
  sid: bytes(16).map((id) => base64url.encode(id)),
  generation: fc.integer({ min: 0, max: 0xffff_fffe }),
  familySecret: bytes(16).map((secret) => new Uint8Array(secret)),
})

describe('a refresh token', () => {
  it('is read back as it was minted', async () => {
    await fc.assert(
      fc.asyncProperty(anyToken, async (token) => {
        const minted = await mintRefreshToken(token, macKeys)
        expect(minted).toMatch(/^rt1\.[\w-]{91}$/)
        expect(await parseRefreshToken(minted, macKeys)).toEqual({ ok: true, value: token })
      }),
    )
  })

  it('is refused with any bit of any byte flipped', async () => {
    const minted = await mintRefreshToken(beginFamily(systemRandom, 'A'.repeat(22)), macKeys)
    const body = base64url.decode(minted.slice(4))
    for (const [at, byte] of body.entries())
      for (let bit = 0; bit < 8; bit++) {
        const flipped = new Uint8Array(body)
        flipped[at] = byte ^ (1 << bit)
        expect(await parseRefreshToken(`rt1.${base64url.encode(flipped)}`, macKeys)).toEqual(malformed)
      }
  })

  it('is refused with any character changed, taken out or put in, the last one’s spare bits included', async () => {
    const minted = await mintRefreshToken(beginFamily(systemRandom, 'A'.repeat(22)), macKeys)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. '
    for (let at = 0; at < minted.length; at++) {
      const [before, after] = [minted.slice(0, at), minted.slice(at + 1)]
      expect(await parseRefreshToken(before + after, macKeys)).toEqual(malformed)
      for (const letter of alphabet.replace(minted[at] ?? '', ''))
        expect(await parseRefreshToken(before + letter + after, macKeys)).toEqual(malformed)
    }
    for (const more of ['A', '=', ' ', '\n']) expect(await parseRefreshToken(minted + more, macKeys)).toEqual(malformed)
  })

  it('is refused when it was cut off, or is anything else', async () => {
    const minted = await mintRefreshToken(beginFamily(systemRandom, 'A'.repeat(22)), macKeys)
    for (let length = 0; length < minted.length; length++)
      expect(await parseRefreshToken(minted.slice(0, length), macKeys)).toEqual(malformed)
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), async (text) => {
        expect(await parseRefreshToken(text, macKeys)).toEqual(malformed)
        expect(await parseRefreshToken(`rt1.${text}`, macKeys)).toEqual(malformed)
      }),
    )
  })

  it('of another service is refused', async () => {
    await fc.assert(
      fc.asyncProperty(anyToken, async (token) => {
        expect(await parseRefreshToken(await mintRefreshToken(token, otherKeys), macKeys)).toEqual(malformed)
      }),
    )
  })

  it('of the previous secret is accepted beside those of the current one', async () => {
    await fc.assert(
      fc.asyncProperty(anyToken, async (token) => {
        const both: MacKeys = [...macKeys, ...otherKeys]
        expect(await parseRefreshToken(await mintRefreshToken(token, otherKeys), both)).toMatchObject({ ok: true })
        expect(await mintRefreshToken(token, both)).toBe(await mintRefreshToken(token, macKeys))
      }),
    )
  })

  it('has a successor that is a function of itself', async () => {
    const token = beginFamily(systemRandom, 'A'.repeat(22))
    const successor = { ...token, generation: 1 }
    expect(await mintRefreshToken(successor, macKeys)).toBe(await mintRefreshToken(successor, macKeys))
    expect(await mintRefreshToken(successor, macKeys)).not.toBe(await mintRefreshToken(token, macKeys))
  })

  it('is never minted beyond the last generation', async () => {
    const token = { ...beginFamily(systemRandom, 'A'.repeat(22)), generation: 0x1_0000_0000 }
    await expect(mintRefreshToken(token, macKeys)).rejects.toThrow(RangeError)
    const last = await mintRefreshToken({ ...token, generation: 0xffff_ffff }, macKeys)
    expect(await parseRefreshToken(last, macKeys)).toEqual(malformed)
  })

  it('is known to the store by a digest that tells its families apart', async () => {
    const [one, other] = [beginFamily(systemRandom, 'u'), beginFamily(systemRandom, 'u')]
    expect(await familyDigest(one)).toMatch(/^[\w-]{22}$/)
    expect(await familyDigest({ ...one, generation: 7 })).toBe(await familyDigest(one))
    expect(await familyDigest(other)).not.toBe(await familyDigest(one))
  })
})
