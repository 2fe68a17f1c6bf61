import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { generateKeyPair } from 'jose'
import { expect, it } from 'vitest'
import { createRemembered } from '../../src/verifier/remembered.ts'
import { createRevoked } from '../../src/verifier/revoked.ts'

const ENTRIES = 1_000_000

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

function usedBytes(): number {
  if (typeof collect !== 'function') throw new TypeError('no gc')
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

it('holds a million revocations in less than 32 bytes each, and gives them back', async () => {
  const before = usedBytes()
  const revoked = createRevoked()
  // As they come within the life of a token: spread over five minutes.
  for (let i = 0; i < ENTRIES; i++) revoked.add('sid', `session-${i}-of-some-length`, 1_800_000_000 + (i % 300))
  const bytes = (usedBytes() - before) / ENTRIES
  console.log(`${ENTRIES.toLocaleString('en')} feed entries: ${bytes.toFixed(1)} bytes per entry`)
  expect(bytes).toBeLessThan(32)
  expect(revoked.size()).toBe(ENTRIES)
  for (let i = 0; i < ENTRIES; i += 997) expect(revoked.has('sid', `session-${i}-of-some-length`)).toBe(true)
  for (let i = 0; i < 100_000; i++) expect(revoked.has('sid', `other-${i}`)).toBe(false)

  revoked.prune(1_800_000_000)
  expect(revoked.size()).toBe(ENTRIES)
  revoked.prune(1_800_000_400)
  expect(revoked.size()).toBe(0)
  // Buffers are freed by a thread of their own, after the collection.
  await expect.poll(() => usedBytes() - before).toBeLessThan(2_000_000)
})

it('tells kinds apart, and counts an entry that is repeated once', () => {
  const revoked = createRevoked()
  for (let i = 0; i < 10; i++) revoked.add('sid', 'an-id', 1_800_000_000)
  expect(revoked.size()).toBe(1)
  expect([revoked.has('sid', 'an-id'), revoked.has('jti', 'an-id'), revoked.has('kid', 'an-id')]).toEqual([
    true,
    false,
    false,
  ])
})

it('remembers a bounded number of tokens, those that were asked for lately', async () => {
  const remembered = createRemembered(100)
  const claims = { iss: '', sub: '', aud: '', client_id: '', iat: 0, exp: 0, jti: '', sid: '', auth_time: 0, roles: [] }
  const { publicKey } = await generateKeyPair('ES256')
  const checked = { ok: true, claims, key: { kid: '', alg: 'ES256', key: publicKey, source: '' } } as const
  remembered.set('often', checked)
  for (let i = 0; i < 10_000; i++) {
    remembered.set(`token-${i}`, checked)
    expect(remembered.get('often')).toBe(checked)
    expect(remembered.size()).toBeLessThanOrEqual(100)
  }
  remembered.forget('often')
  expect(remembered.get('often')).toBeUndefined()
  const none = createRemembered(0)
  none.set('token', checked)
  expect(none.size()).toBe(0)
})
