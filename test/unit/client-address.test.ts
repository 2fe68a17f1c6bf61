import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { readAuditAddress, readClientNetwork } from '../../src/http/client-address.ts'
import type { Env } from '../../src/http/context.ts'
import { testConfig } from '../support/stack.ts'

/** What is made of an address in the header. */
async function readBoth(address: string | undefined, keep = 'truncated') {
  const config = testConfig({ AUDIT_ADDRESS: keep, CLIENT_ADDRESS_HEADER: 'X-Address' })
  const app = new Hono<Env>()
  app.get('/', (c) => c.json([readClientNetwork(c, 'X-Address') ?? null, readAuditAddress(c, config)]))
  const answer = await app.request('/', address === undefined ? {} : { headers: { 'X-Address': address } })
  return answer.json()
}

describe('the caller’s address', () => {
  it.each([
    ['203.0.113.7', ['203.0.113.7', '203.0.113.0/24']],
    [' 203.0.113.7 ', ['203.0.113.7', '203.0.113.0/24']],
    ['::ffff:203.0.113.7', ['203.0.113.7', '203.0.113.0/24']],
    ['2001:DB8:1:2:3:4:5:6', ['2001:db8:1:2::/64', '2001:db8:1::/48']],
    ['::1', ['::/64', '::/48']],
  ])('%s counts as a network, and the audit trail has less of it', async (address, expected) => {
    expect(await readBoth(address)).toEqual(expected)
  })

  it('is kept whole or not at all where AUDIT_ADDRESS says so', async () => {
    expect(await readBoth('203.0.113.7', 'full')).toEqual(['203.0.113.7', '203.0.113.7'])
    expect(await readBoth('2001:db8:1:2:3:4:5:6', 'full')).toEqual(['2001:db8:1:2::/64', '2001:db8:1:2:3:4:5:6'])
    expect(await readBoth('203.0.113.7', 'off')).toEqual(['203.0.113.7', ''])
  })

  it.each([undefined, '', 'unknown', '203.0.113.7, 198.51.100.1', '<script>', 'x'.repeat(10_000)])(
    'is not known from %j',
    async (address) => {
      for (const keep of ['truncated', 'full']) expect(await readBoth(address, keep)).toEqual([null, ''])
    },
  )
})
