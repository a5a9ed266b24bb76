// The authority whose certificates let agents in, as the developer names it: one root certificate, copied into the grant
// so that a file that changes later changes nothing.
import { X509Certificate } from 'node:crypto';
import { TunnelError } from '../core/errors.ts';
import { maxAuthorityLength, type NewWay, type StoredCertificateWay, type StoredWay } from './way.ts';

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/g;

/** What is kept of a way in. Throws `USAGE` for an authority that is of no use. */
export function storedWay(way: NewWay, nowMs: number): StoredWay {
  if (way.kind !== 'certificate') return way;
  const { kind, name, caPem } = way;
  return { kind, ...clientAuthority(caPem, nowMs), ...(name === undefined ? {} : { name }) };
}

/** Throws `USAGE` for anything but one root certificate that is valid now. Whatever else the text holds is not kept. */
export function clientAuthority(text: string, nowMs: number): Pick<StoredCertificateWay, 'ca' | 'caPem'> {
  const blocks = [...text.matchAll(PEM)];
  if (blocks.some(([, label]) => label!.endsWith('PRIVATE KEY'))) {
    throw refusal('it holds a private key: name the file with the certificate alone');
  }
  const [block, ...others] = blocks.filter(([, label]) => label === 'CERTIFICATE');
  if (!block) throw refusal('it holds no PEM certificate');
  if (others.length > 0) throw refusal('it holds several certificates: name one, the root');
  const caPem = `${block[0].replace(/\r/g, '')}\n`;
  if (caPem.length > maxAuthorityLength) throw refusal(`it is longer than ${maxAuthorityLength} characters`);
  const certificate = parsed(caPem);
  if (!certificate.ca) throw refusal('its certificate is not one of an authority (CA:TRUE)');
  if (!certificate.checkIssued(certificate) || !certificate.verify(certificate.publicKey)) {
    throw refusal('its certificate was signed by another authority: name the root');
  }
  if (Date.parse(certificate.validTo) <= nowMs) throw refusal(`its certificate expired on ${certificate.validTo}`);
  return { ca: fingerprintOf(certificate), caPem };
}

/** SHA-256 of the certificate, hex. */
export function fingerprintOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase();
}

function parsed(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw refusal('its certificate cannot be read', cause);
  }
}

function refusal(why: string, cause?: unknown): TunnelError {
  return new TunnelError('USAGE', `the authority for client certificates is not usable: ${why}`, { cause });
}
