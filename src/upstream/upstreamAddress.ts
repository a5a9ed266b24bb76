// Which addresses an HTTP upstream may have. The name is resolved once and the addresses are pinned, so that a name
// whose answer changes later (DNS rebinding) leads nowhere new. Link-local and metadata addresses are never dialled.
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { TunnelError } from '../core/errors.ts';
import { failed } from '../mcp/failures.ts';

export type PinnedAddress = { address: string; family: 4 | 6 };

/** Whether an address that is not loopback may be dialled: the policy's word. */
export type PermitAddress = (address: string, port: number) => boolean;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const never = new BlockList();
never.addSubnet('0.0.0.0', 8, 'ipv4'); // "This host": some systems take it for loopback, some for any.
never.addSubnet('169.254.0.0', 16, 'ipv4'); // Link-local; cloud metadata.
never.addAddress('100.100.100.200', 'ipv4'); // Metadata of one cloud.
never.addAddress('255.255.255.255', 'ipv4');
never.addSubnet('224.0.0.0', 4, 'ipv4');
never.addAddress('::', 'ipv6');
never.addSubnet('fe80::', 10, 'ipv6');
never.addSubnet('ff00::', 8, 'ipv6');
never.addAddress('fd00:ec2::254', 'ipv6'); // Metadata of another.

/** Throws `UPSTREAM_DENIED` when any address of `url` is out of bounds, `UPSTREAM_UNREACHABLE` when it has none. */
export async function pinAddresses(url: URL, permit: PermitAddress): Promise<PinnedAddress[]> {
  const port = portOf(url);
  const addresses = await addressesOf(url);
  for (const { address } of addresses) {
    if (mayDial(address, port, permit)) continue;
    throw new TunnelError(
      'UPSTREAM_DENIED',
      `${url.host} leads to ${address}, which is not on this machine; only loopback addresses may be exposed`,
      { data: { address } },
    );
  }
  return addresses;
}

export function mayDial(address: string, port: number, permit: PermitAddress): boolean {
  const plain = unmapped(address);
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(plain) === 0 || never.check(plain, family)) return false;
  return loopback.check(plain, family) || permit(plain, port);
}

export function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
}

async function addressesOf(url: URL): Promise<PinnedAddress[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family: family as 4 | 6 }];
  // RFC 6761 §6.3: these names are loopback, whatever a resolver says.
  if (host === 'localhost' || host.endsWith('.localhost')) {
    return [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ];
  }
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address, family }) => ({ address, family: family as 4 | 6 }));
  } catch (error) {
    throw failed('DNS_NOT_FOUND', `the name ${host} could not be resolved`, error);
  }
}

/** `::ffff:127.0.0.1` and `::ffff:7f00:1` → `127.0.0.1`; a zone (`%eth0`) is kept out. */
function unmapped(address: string): string {
  const plain = address.replace(/%.*$/, '');
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  if (dotted) return dotted;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(plain);
  if (!hex) return plain;
  const [high, low] = [Number.parseInt(hex[1]!, 16), Number.parseInt(hex[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
