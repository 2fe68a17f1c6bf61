import { describe, expect, it } from 'vitest'
import { createHasher, type Argon2 } from '../../src/accounts/hasher.ts'
import { createHashQueue } from '../../src/accounts/hash-queue.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { systemRandom } from '../../src/system.ts'

const secret = systemRandom.bytes(32)

describe('checking a password', () => {
  it('does the same work for an unknown user as for a known one', async () => {
    const work: string[] = []
    const counted: Argon2 = {
      hash: (...call) => argon2Native.hash(...call),
      verify(hash, ...rest) {
        work.push(hash.split('$').slice(0, 4).join('$'), String(hash.length))
        return argon2Native.verify(hash, ...rest)
      },
    }
    const hasher = createHasher(counted, { secrets: [secret], random: systemRandom })
    const hashed = await hasher.hash('a password')
    if (!hashed.ok) throw new Error('no turn')
    expect(await hasher.verify(hashed.value, 'another')).toEqual({ ok: true, value: 'wrong' })
    const known = work.splice(0)
    expect(await hasher.verify(undefined, 'another')).toEqual({ ok: true, value: 'wrong' })
    expect(work).toEqual(known)
  })
})

describe('the hash queue', () => {
  it('lets one in at a time, in spite of failures, and refuses beyond its limit', async () => {
    const queue = createHashQueue()
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
      throw new Error('the hash failed')
    }
    const turns = await Promise.allSettled(Array.from({ length: 40 }, () => queue.inTurn(work)))
    expect(most).toBe(1)
    expect(turns.filter(({ status }) => status === 'rejected')).toHaveLength(16)
    expect(turns.filter(({ status }) => status === 'fulfilled')).toHaveLength(24)
    expect(await queue.inTurn(() => 'next')).toEqual({ ok: true, value: 'next' })
  })
})
