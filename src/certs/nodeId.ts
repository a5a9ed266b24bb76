// Who a node of an edge is to the other nodes: one URI in the certificate that it makes for itself with the CA they share.
import type { X509Certificate } from 'node:crypto';
import { holderIdOf, holderUri, isHolderId } from './ourUri.ts';

export function isNodeId(text: string): boolean {
  return isHolderId(text);
}

export function nodeUri(id: string): string {
  return holderUri('node', id);
}

/** The node's id; `undefined` for every other certificate, a connector's above all. The chain is checked elsewhere. */
export function nodeIdOf(certificate: X509Certificate): string | undefined {
  return holderIdOf(certificate, 'node');
}
