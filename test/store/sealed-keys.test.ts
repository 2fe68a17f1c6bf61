import { base64url, compactDecrypt } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemRandom } from '../../src/system.ts'
import { ringTimes, rotateRing, tendRing, type RingTools } from '../../src/tokens/key-changes.ts'
import { parseRing } from '../../src/tokens/ring.ts'
import { openKey, type Seals } from '../../src/tokens/sealed-key.ts'
import { actor } from '../support/actor.ts'
import { testConfig } from '../support/stack.ts'
import { startTestStore, type TestStore } from '../support/store.ts'

const T0 = 1_800_000_000_000
/** RFC 7518 sections 6.2.2 and 6.3.2: the private members of EC, OKP and RSA keys. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi']

let started: TestStore
beforeAll(async () => {
  started = await startTestStore()
})
afterAll(() => started.stop())

/** Everything that the database holds, as bytes. */
async function dumpAll(): Promise<Buffer> {
  const parts: Buffer[] = []
  for (const key of await started.direct.keys('*')) {
    const type = await started.direct.type(key)
    const whole = { string: ['GET', key], stream: ['XRANGE', key, '-', '+'] }[type]
    expect({ key, type, isKnown: whole !== undefined }).toMatchObject({ isKnown: true })
    const [command = '', ...args] = whole ?? []
    parts.push(Buffer.from(key), ...flatten(await started.direct.callBuffer(command, ...args)))
  }
  return Buffer.concat(parts)
}

function flatten(reply: unknown): Buffer[] {
  return Array.isArray(reply) ? reply.flatMap(flatten) : [Buffer.isBuffer(reply) ? reply : Buffer.from(String(reply))]
}

it.each(['ES256', 'EdDSA', 'RS256'] as const)(
  'a copy of the database holds no private member of a %s key in any encoding, and opens with no other secret',
  async (signingAlg) => {
    await started.direct.flushall()
    const seals: Seals = [systemRandom.bytes(32)]
    const tools: RingTools = { store: started.connect(), seals, signingAlg, times: ringTimes(testConfig()), actor }
    await tendRing(tools, T0)
    await rotateRing(tools, T0 + 1)
    const dump = await dumpAll()
    const { ring } = await tendRing(tools, T0 + 1)
    expect(ring).toHaveLength(2)
    expect(parseRing((await started.direct.get('keyring:{0}')) ?? '')).toEqual(ring)

    const looked: string[] = []
    for (const key of ring) {
      expect(dump.includes(key.kid)).toBe(true)
      const { plaintext } = await compactDecrypt(key.sealed, seals[0])
      const jwk: Record<string, string> = JSON.parse(new TextDecoder().decode(plaintext))
      for (const member of privateMembers.filter((name) => jwk[name] !== undefined)) {
        looked.push(member)
        const bytes = Buffer.from(base64url.decode(jwk[member] ?? ''))
        const hex = bytes.toString('hex')
        const encodings = [
          bytes,
          ...[0, 1, 2].map((shift) => base64Inside(bytes, shift)),
          ...[0, 1, 2].map((shift) => base64Inside(bytes, shift).replaceAll('+', '-').replaceAll('/', '_')),
          hex,
          hex.toUpperCase(),
          BigInt(`0x${hex}`).toString(),
        ]
        // The search finds what is there: the opened key has the member in base64url.
        expect(Buffer.from(plaintext).includes(encodings[4] ?? '')).toBe(true)
        for (const encoding of encodings) expect(dump.includes(encoding)).toBe(false)
      }
      await expect(openKey(key, [systemRandom.bytes(32)])).rejects.toThrow('another secret')
    }
    expect(looked).toEqual(signingAlg === 'RS256' ? [...privateMembers, ...privateMembers] : ['d', 'd'])
  },
)

/** The characters that the bytes have in base64 wherever they stand in a longer text: the edges depend on neighbours. */
function base64Inside(bytes: Buffer, shift: number): string {
  return Buffer.concat([Buffer.alloc(shift), bytes])
    .toString('base64')
    .replaceAll('=', '')
    .slice(4, -2)
}
