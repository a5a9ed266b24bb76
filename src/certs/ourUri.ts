// The one URI by which a certificate of ours says who its holder is. Read strictly: with two of them, whatever their
// kinds, the holder is nobody, so that no certificate can pass for a connector here and for a node of an edge there.
import type { X509Certificate } from 'node:crypto';
import { urisOf } from './subjectAltName.ts';
import { extensionOf } from './x509.ts';

const prefix = 'urn:mcp-tunnel:';
const ID = /^[a-z0-9]{8,64}$/;

export type HolderKind = 'connector' | 'node';

export function isHolderId(text: string): boolean {
  return ID.test(text);
}

export function holderUri(kind: HolderKind, id: string): string {
  return `${prefix}${kind}:${id}`;
}

/** The holder's id when the certificate is one of this kind. The chain is checked elsewhere. */
export function holderIdOf(certificate: X509Certificate, kind: HolderKind): string | undefined {
  let ours: string[];
  try {
    const names = extensionOf(certificate, 'subjectAltName');
    ours = names ? urisOf(names).filter((uri) => uri.startsWith(prefix)) : [];
  } catch {
    return undefined; // Not DER as we know it: nobody.
  }
  const [only, another] = ours;
  if (only === undefined || another !== undefined || !only.startsWith(`${prefix}${kind}:`)) return undefined;
  const id = only.slice(holderUri(kind, '').length);
  return isHolderId(id) ? id : undefined;
}
