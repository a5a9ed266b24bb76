// Certificate requests (PKCS #10, RFC 2986). The edge reads them from strangers, so the reader takes one shape only:
// a P-256 key with its own signature. The subject is ignored: the edge decides who the connector is.
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { TunnelError } from '../core/errors.ts';
import { children, content, decode, encode, pem, sequence, smallInteger, tagged } from './der.ts';
import type { KeyPair } from './keyPair.ts';
import { distinguishedName, signed, spki, withSignature } from './x509.ts';

/** Ours has about 400 characters. */
export const maxCsrLength = 4096;

const label = 'CERTIFICATE REQUEST';
const PEM = /^\s*-----BEGIN CERTIFICATE REQUEST-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/;

/** What every uncompressed P-256 SubjectPublicKeyInfo starts with (RFC 5480). */
const p256Prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');

export function createCsr(key: KeyPair, commonName: string): string {
  const info = sequence(smallInteger(0), distinguishedName(commonName), decode(spki(key.publicKey)), tagged(0, []));
  return pem(label, signed(info, key.privateKey));
}

/** Throws `CERTIFICATE_INVALID`, and nothing else, whatever `text` is. */
export function readCsr(text: string): { publicKey: KeyObject } {
  try {
    return parse(text);
  } catch (cause) {
    if (cause instanceof TunnelError) throw cause;
    throw refusal('it is not a well-formed PKCS #10 request', cause);
  }
}

function parse(text: string): { publicKey: KeyObject } {
  if (text.length > maxCsrLength) throw refusal(`it is longer than ${maxCsrLength} characters`);
  const base64 = PEM.exec(text)?.[1];
  if (base64 === undefined) throw refusal(`it is not one PEM block “${label}”`);

  const der = Buffer.from(base64, 'base64');
  const [info, , signatureBits] = children(decode(der));
  const signature = content(signatureBits).subarray(1);
  const keyInfo = children(info)[2];
  // Written again it must be the same bytes: one encoding, our algorithm, nothing beside it.
  if (!info || !keyInfo || !withSignature(info, signature).equals(der)) {
    throw refusal('it is not a PKCS #10 request signed with ECDSA and SHA-256');
  }
  const key = encode(keyInfo);
  if (!key.subarray(0, p256Prefix.length).equals(p256Prefix)) throw refusal('its key is not a P-256 key');

  const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
  if (!verify('sha256', encode(info), publicKey, signature)) throw refusal('it is not signed with its own key');
  return { publicKey };
}

const refusal = (why: string, cause?: unknown): TunnelError =>
  new TunnelError('CERTIFICATE_INVALID', `the certificate request was refused: ${why}`, { cause });
