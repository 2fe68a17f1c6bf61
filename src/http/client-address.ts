import ipaddr from 'ipaddr.js'
import type { Config } from '../config.ts'
import type { RequestContext } from './context.ts'

/** How much of an IPv6 address names a network: whoever has one address of it has all of them. */
const IPV6_NETWORK_BITS = 64

/** What an audit trail needs to tell one place from another, and not one person: a provider's block, an organisation's. */
const AUDITED_BITS = { ipv4: 24, ipv6: 48 } as const

/**
 * The network that the request comes from, as in `203.0.113.7` or `2001:db8:0:1::/64`, told by the header of the platform or
 * balancer in front; undefined where there is none.
 */
export function readClientNetwork(c: RequestContext, header: string): string | undefined {
  const address = readAddress(c, header)
  return address?.kind() === 'ipv6' ? networkOf(address, IPV6_NETWORK_BITS) : address?.toString()
}

/** As much of the caller's address as `AUDIT_ADDRESS` says, as in `203.0.113.0/24`; '' where it is not known or not kept. */
export function readAuditAddress(
  c: RequestContext,
  { audit, clientAddressHeader }: Pick<Config, 'audit' | 'clientAddressHeader'>,
): string {
  const address = audit.address === 'off' ? undefined : readAddress(c, clientAddressHeader)
  if (!address) return ''
  return audit.address === 'full' ? address.toString() : networkOf(address, AUDITED_BITS[address.kind()])
}

type Address = ipaddr.IPv4 | ipaddr.IPv6

function readAddress(c: RequestContext, header: string): Address | undefined {
  const text = c.req.header(header)?.trim() ?? ''
  // Where there is no such header the library would find out by an exception.
  return text !== '' && ipaddr.isValid(text) ? ipaddr.process(text) : undefined
}

function networkOf(address: Address, bits: number): string {
  const family = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return `${family.networkAddressFromCIDR(`${address.toString()}/${bits}`).toString()}/${bits}`
}
