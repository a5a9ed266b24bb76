// Networks of internet addresses as people write them (CIDR: RFC 4632, RFC 4291 §2.3), read strictly: what is let in must
// not depend on which of several readings of a text a library prefers.
import ipaddr from 'ipaddr.js';
import { TunnelError } from './errors.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export type Network = { address: Address; bits: number };

/** An address as a socket or a peer reports it; IPv4 as such, also where IPv6 carries it. `undefined` for anything else. */
export function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const bare = text.replace(/%.*$/, ''); // A zone says through which of our interfaces, not who.
  if (!bare.includes(':') || !ipaddr.IPv6.isValid(bare)) return undefined;
  const address = ipaddr.IPv6.parse(bare);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** `192.0.2.0/24`, `2001:db8::/32`, or one address. Throws `USAGE`, naming the text. */
export function parseNetwork(text: string): Network {
  const [, host = '', prefix] = /^([0-9a-fA-F.:]{2,45})(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const given = host.includes(':') && ipaddr.IPv6.isValid(host) ? ipaddr.IPv6.parse(host) : parseAddress(host);
  if (!given) throw new TunnelError('USAGE', `“${text.slice(0, 60)}” is not a network: write it like 192.0.2.0/24`);
  const length = given.kind() === 'ipv4' ? 32 : 128;
  const bits = prefix === undefined ? length : Number(prefix);
  if (bits > length) throw new TunnelError('USAGE', `“${text}” is not a network: its prefix is at most ${length}`);
  const kept = beginning(given, bits);
  if (kept.toNormalizedString() !== given.toNormalizedString()) {
    throw new TunnelError('USAGE', `“${text}” names more than its prefix covers: write ${kept.toString()}/${bits}`);
  }
  if (given.kind() === 'ipv6' && (given as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96) {
    return { address: (given as ipaddr.IPv6).toIPv4Address(), bits: bits - 96 };
  }
  return { address: given, bits };
}

/** The one way to write it. */
export function formatNetwork({ address, bits }: Network): string {
  return `${address.toString()}/${bits}`;
}

export function isInNetwork(address: Address, { address: network, bits }: Network): boolean {
  // Of the same kind, which the types cannot say.
  return address.kind() === network.kind() && (address as ipaddr.IPv6).match(network, bits);
}

/** With zeros after the first `bits`. */
function beginning(address: Address, bits: number): Address {
  const bytes = address.toByteArray().map((byte, at) => {
    const left = Math.min(8, Math.max(0, bits - at * 8));
    return byte & (0xff << (8 - left)) & 0xff;
  });
  return ipaddr.fromByteArray(bytes);
}
