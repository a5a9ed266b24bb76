// A certificate with the ones that lead to its authority, and its key, as they come from a file or from an authority:
// they belong together, speak for the name, and hold today, or a sentence says what is wrong.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { TunnelError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';

/** Of a chain's text; real ones have less than ten kilobytes. */
export const maxChainLength = 64 * 1024;
/** Certificates in one chain. */
export const maxChainCertificates = 8;

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** When the whole chain holds; what of it expires first ends it. */
export type Chain = { keyPem: string; chainPem: string; notBeforeMs: number; notAfterMs: number };

export type ChainQuestion = {
  keyPem: string;
  chainPem: string;
  hostname: string;
  /** Absent: it need not hold now. */
  nowMs?: number;
  /** How a person calls them: `cert.pem`, `the certificate from ca.example.com`. */
  what: string;
  whatKey?: string;
};

/** Throws `CERTIFICATE_INVALID`. */
export function readChain(question: ChainQuestion): Chain {
  const { keyPem, chainPem, hostname, nowMs, what, whatKey = 'its key' } = question;
  const wrong = (why: string, cause?: unknown, whose = what): TunnelError =>
    new TunnelError('CERTIFICATE_INVALID', `${whose} ${why}`, { cause });
  const certificates = parse(chainPem, wrong);
  const [leaf] = certificates;
  if (!leaf) throw wrong('holds no PEM certificate');
  if (!leaf.checkPrivateKey(privateKeyOf(keyPem, whatKey))) throw wrong(`does not belong to ${whatKey}`);
  if (leaf.checkHost(hostname, { subject: 'never' }) === undefined) {
    throw wrong(`is not for ${hostname} but for ${printable(leaf.subjectAltName ?? 'no name', 120)}`);
  }
  certificates.forEach((certificate, place) => {
    const issuer = certificates[place + 1];
    if (issuer && !(certificate.checkIssued(issuer) && isSignedBy(certificate, issuer))) {
      throw wrong(`is followed by certificates that do not lead to its authority (number ${place + 2})`);
    }
    const whose = place === 0 ? what : `number ${place + 1} in ${what}`;
    if (nowMs === undefined) return;
    if (Date.parse(certificate.validTo) <= nowMs) throw wrong(`expired on ${certificate.validTo}`, undefined, whose);
    if (Date.parse(certificate.validFrom) > nowMs) {
      const since = `is not valid before ${certificate.validFrom}: set this machine’s clock right`;
      throw wrong(since, undefined, whose);
    }
  });
  return {
    keyPem,
    chainPem: `${certificates.map((certificate) => certificate.toString().trim()).join('\n')}\n`,
    notBeforeMs: Math.max(...certificates.map(({ validFrom }) => Date.parse(validFrom))),
    notAfterMs: Math.min(...certificates.map(({ validTo }) => Date.parse(validTo))),
  };
}

function parse(text: string, wrong: (why: string, cause?: unknown) => TunnelError): X509Certificate[] {
  if (text.length > maxChainLength) throw wrong(`is longer than ${maxChainLength} characters`);
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length > maxChainCertificates) throw wrong(`holds more than ${maxChainCertificates} certificates`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw wrong('holds something that is no certificate', cause);
  }
}

function privateKeyOf(pem: string, whatKey: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const why = pem.includes('ENCRYPTED') ? 'is encrypted: write it without a passphrase' : 'is no PEM private key';
    throw new TunnelError('CERTIFICATE_INVALID', `${whatKey} ${why}`, { cause });
  }
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false; // A key of a kind that this process does not know.
  }
}
