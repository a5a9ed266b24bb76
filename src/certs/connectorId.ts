// Who a connector is: one URI in its client certificate, which survives renewal. Read strictly: anything but
// exactly one well-formed URI of ours is nobody.
import type { X509Certificate } from 'node:crypto';
import { urisOf } from './subjectAltName.ts';
import { extensionOf } from './x509.ts';

const prefix = 'urn:mcp-tunnel:connector:';
const ID = /^[a-z0-9]{8,64}$/;

export function isConnectorId(text: string): boolean {
  return ID.test(text);
}

export function connectorUri(id: string): string {
  return prefix + id;
}

/** The connector's id; `undefined` when the certificate names none, or more than one. The chain is checked elsewhere. */
export function connectorIdOf(certificate: X509Certificate): string | undefined {
  let ours: string[];
  try {
    const names = extensionOf(certificate, 'subjectAltName');
    ours = names ? urisOf(names).filter((uri) => uri.startsWith(prefix)) : [];
  } catch {
    return undefined; // Not DER as we know it: nobody.
  }
  const id = ours.length === 1 ? ours[0]?.slice(prefix.length) : undefined;
  return id !== undefined && isConnectorId(id) ? id : undefined;
}
