// Whether an address that an edge has named may be connected to. An edge says where its other nodes are; it must not make
// this machine knock at doors of the network around it.
import ipaddr from 'ipaddr.js';

/**
 * Public addresses, and those of the same kind (loopback, private, link-local …) as the one the edge itself is at; its
 * own is unknown behind a proxy. An IPv4 address inside an IPv6 one counts as what it is.
 */
export function mayFollow(address: string, edgeAddress: string | undefined): boolean {
  const scope = scopeOf(address);
  return scope === 'unicast' || (scope !== undefined && edgeAddress !== undefined && scope === scopeOf(edgeAddress));
}

function scopeOf(address: string): string | undefined {
  return ipaddr.isValid(address) ? ipaddr.process(address).range() : undefined;
}
