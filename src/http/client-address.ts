import ipaddr from 'ipaddr.js'
import type { RequestContext } from './context.ts'

/** How much of an IPv6 address names a network: whoever has one address of it has all of them. */
const IPV6_NETWORK_BITS = 64

/**
 * The network that the request comes from, as in `203.0.113.7` or `2001:db8:0:1::/64`, told by the header of the platform or
 * balancer in front; undefined where there is none.
 */
export function readClientNetwork(c: RequestContext, header: string): string | undefined {
  const text = c.req.header(header)?.trim() ?? ''
  if (!ipaddr.isValid(text)) return undefined
  const address = ipaddr.process(text)
  if (address.kind() === 'ipv4') return address.toString()
  return (
    ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${IPV6_NETWORK_BITS}`).toString() +
    `/${IPV6_NETWORK_BITS}`
  )
}
