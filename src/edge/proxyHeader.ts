// The PROXY protocol's binary header, version 2 (haproxy's proxy-protocol.txt, §2.2): a load balancer says in front of a
// connection whose it is. Only what a TCP connection can have is taken; the text form of version 1 is not.
import ipaddr from 'ipaddr.js';
import type { HostPort } from '../core/hostname.ts';

/** Signature, version and command, family, length. */
const fixedBytes = 16;
const signature = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);

export type ProxyHeader =
  /** `source` is absent where the balancer speaks for itself (`isCheck`) or does not know. */
  | { kind: 'header'; length: number; isCheck: boolean; source?: HostPort }
  | { kind: 'incomplete' }
  | { kind: 'invalid' };

const invalid = { kind: 'invalid' } as const;

/** `bytes` is everything received so far; a header with more than `maxBytes` is invalid. */
export function parseProxyHeader(bytes: Uint8Array, maxBytes: number): ProxyHeader {
  for (let at = 0; at < Math.min(signature.length, bytes.length); at += 1) {
    if (bytes[at] !== signature[at]) return invalid;
  }
  const [versionAndCommand = 0x20, family = 0] = bytes.subarray(signature.length);
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2 || command > 1) return invalid;
  if (bytes.length < fixedBytes) return { kind: 'incomplete' };

  const length = fixedBytes + (bytes[14] ?? 0) * 256 + (bytes[15] ?? 0);
  if (length > maxBytes) return invalid;
  if (bytes.length < length) return { kind: 'incomplete' };
  // A check's addresses are to be left alone (§2.2, LOCAL).
  if (command === 0) return { kind: 'header', length, isCheck: true };
  return readAddresses(family, bytes.subarray(fixedBytes, length), length);
}

function readAddresses(family: number, block: Uint8Array, length: number): ProxyHeader {
  switch (family) {
    case 0x00: // Unspecified: whose it is, is not known.
      return { kind: 'header', length, isCheck: false };
    case 0x11: // TCP over IPv4: two addresses, two ports.
      return withSource(block, 4, length);
    case 0x21: // TCP over IPv6.
      return withSource(block, 16, length);
    case 0x31: // A Unix stream socket has no address that could be judged.
      return block.length < 216 ? invalid : { kind: 'header', length, isCheck: false };
    default:
      return invalid;
  }
}

/** What follows the addresses (TLVs) is not looked at. */
function withSource(block: Uint8Array, size: 4 | 16, length: number): ProxyHeader {
  const at = 2 * size;
  if (block.length < at + 4) return invalid;
  const address = ipaddr.fromByteArray([...block.subarray(0, size)]);
  const port = (block[at] ?? 0) * 256 + (block[at + 1] ?? 0);
  return { kind: 'header', length, isCheck: false, source: { host: plain(address), port } };
}

function plain(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  const v6 = address as ipaddr.IPv6;
  return address.kind() === 'ipv6' && v6.isIPv4MappedAddress() ? v6.toIPv4Address().toString() : address.toString();
}
