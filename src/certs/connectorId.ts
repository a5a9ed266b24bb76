// Who a connector is: one URI in its client certificate, which survives renewal. Read strictly: anything but
// exactly one well-formed URI of ours is nobody.
import type { X509Certificate } from 'node:crypto';
import { holderIdOf, holderUri, isHolderId } from './ourUri.ts';

export function isConnectorId(text: string): boolean {
  return isHolderId(text);
}

export function connectorUri(id: string): string {
  return holderUri('connector', id);
}

/** The connector's id; `undefined` when the certificate names none, or more than one. The chain is checked elsewhere. */
export function connectorIdOf(certificate: X509Certificate): string | undefined {
  return holderIdOf(certificate, 'connector');
}
