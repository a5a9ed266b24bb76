// X.509 NameConstraints (RFC 5280 §4.2.1.10): a CA that a developer trusts may vouch for these names and no others,
// so that a stolen key of it cannot impersonate the rest of the internet.
import { BlockList, isIP } from 'node:net';
import { TunnelError } from '../core/errors.ts';
import { sequence, tagged, type Der } from './der.ts';
import { addressBytes } from './subjectAltName.ts';

/** `dns`: each name and everything below it. `ip`: CIDR ranges; with none of them, no address is allowed at all. */
export type PermittedNames = { dns: readonly string[]; ip: readonly string[] };

/** GeneralName tags (RFC 5280 §4.2.1.6). */
const tag = { dns: 2, ip: 7 } as const;

export function nameConstraints(permitted: PermittedNames): Der {
  const allowed = [
    ...permitted.dns.map((name) => sequence(tagged(tag.dns, Buffer.from(name, 'ascii')))),
    ...permitted.ip.map((cidr) => sequence(tagged(tag.ip, addressAndMask(cidr)))),
  ];
  // A kind of name that no permitted subtree mentions is free, so "no addresses" must be said.
  const excluded = permitted.ip.length > 0 ? [] : ['0.0.0.0/0', '::/0'];
  const refused = excluded.map((cidr) => sequence(tagged(tag.ip, addressAndMask(cidr))));
  return sequence(tagged(0, allowed), ...(refused.length > 0 ? [tagged(1, refused)] : []));
}

/** Whether a certificate for `name` (DNS name, wildcard or IP address) would be accepted under `permitted`. */
export function isPermitted(permitted: PermittedNames, name: string): boolean {
  const family = isIP(name);
  if (family === 0) {
    const plain = name.startsWith('*.') ? name.slice(2) : name;
    return permitted.dns.some((domain) => plain === domain || plain.endsWith(`.${domain}`));
  }
  const ranges = new BlockList();
  for (const cidr of permitted.ip) {
    const { address, prefix } = parseCidr(cidr);
    ranges.addSubnet(address, prefix, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return ranges.check(name, family === 6 ? 'ipv6' : 'ipv4');
}

function addressAndMask(cidr: string): Buffer {
  const { address, prefix } = parseCidr(cidr);
  const bytes = addressBytes(address);
  const mask = Buffer.alloc(bytes.length);
  for (let bit = 0; bit < prefix; bit++) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return Buffer.concat([bytes, mask]);
}

function parseCidr(cidr: string): { address: string; prefix: number } {
  const [address = '', prefixText = ''] = cidr.split('/');
  const prefix = Number(prefixText);
  const family = isIP(address);
  if (family === 0 || !/^\d{1,3}$/.test(prefixText) || prefix > (family === 6 ? 128 : 32)) {
    throw new TunnelError('USAGE', `“${cidr}” is not a range of addresses`);
  }
  return { address, prefix };
}
