// The names a certificate speaks for (RFC 5280 §4.2.1.6): DNS names, IP addresses, URIs. Read from the DER itself:
// the text that node:crypto gives for them joins strangers' strings with commas (CVE-2021-44532).
import { isIP } from 'node:net';
import { TunnelError } from '../core/errors.ts';
import { children, content, decode, isTagged, sequence, tagged, type Der } from './der.ts';

export type AltName = { kind: 'dns'; name: string } | { kind: 'ip'; address: string } | { kind: 'uri'; uri: string };

const tag = { dns: 2, uri: 6, ip: 7 } as const;
const maxDnsName = 253;
const DNS_NAME = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
const URI = /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i;

/** A host as a person writes it: an address stays an address. Throws `CERTIFICATE_INVALID`. */
export function hostName(text: string): AltName {
  if (isIP(text) !== 0) return { kind: 'ip', address: text };
  if (text.length <= maxDnsName && DNS_NAME.test(text)) return { kind: 'dns', name: text };
  throw new TunnelError('CERTIFICATE_INVALID', `a certificate cannot be made for the name “${text.slice(0, 300)}”`);
}

export function subjectAltName(names: readonly AltName[]): Der {
  return sequence(...names.map(encodeName));
}

function encodeName(name: AltName): Der {
  if (name.kind === 'ip') return tagged(tag.ip, addressBytes(name.address));
  if (name.kind === 'dns') return tagged(tag.dns, Buffer.from(name.name, 'ascii'));
  if (!URI.test(name.uri)) throw new TunnelError('CERTIFICATE_INVALID', 'the URI for the certificate is malformed');
  return tagged(tag.uri, Buffer.from(name.uri, 'ascii'));
}

/** The URIs among the names; `extension` is the value of the SubjectAltName extension. */
export function urisOf(extension: Buffer): string[] {
  return children(decode(extension))
    .filter((name) => isTagged(name, tag.uri))
    .map((name) => content(name).toString('latin1'));
}

/** Four or sixteen bytes of an IP address. */
export function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  // URL writes every IPv6 address the same way: no dotted tail, lower case, one `::` at most.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): number[] => (text ? text.split(':').map((group) => Number.parseInt(group, 16)) : []);
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: 8 - left.length - right.length }, () => 0);
  const bytes = Buffer.alloc(16);
  [...left, ...middle, ...right].forEach((group, index) => bytes.writeUInt16BE(group, index * 2));
  return bytes;
}
