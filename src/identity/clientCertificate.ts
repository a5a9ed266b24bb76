// Whether the certificate that a client showed was issued under a named authority. TLS has checked the chain against all
// named authorities together when the connection was made; which of them it leads to, and whether everything on the way
// is still valid, is said here, for each request.
import type { X509Certificate } from 'node:crypto';
import { printable } from '../core/printable.ts';
import { maxSubjectLength, type StoredCertificateWay } from './way.ts';

/** The client's own first, then what it sent along. TLS has found it good. One array per connection. */
export type ClientChain = readonly X509Certificate[];

/** Certificates looked at between the client's and the authority's. */
export const maxIntermediates = 5;

/** id-kp-clientAuth, RFC 5280 §4.2.1.12. */
const clientAuth = '1.3.6.1.5.5.7.3.2';

/** What was found out about a connection's chain: signatures do not change, so they are checked once. */
type Known = { names: readonly string[]; paths: Map<string, readonly X509Certificate[] | undefined> };

const known = new WeakMap<ClientChain, Known>();

/** Who came with a certificate, and until when all certificates on the way to the authority are valid. */
export type CertificateHolder = { subject: string; untilMs: number };

/** `undefined` for who is not let in by this way; `authority` is the certificate that it names. */
export function certificateHolder(
  chain: ClientChain,
  { ca, name }: Pick<StoredCertificateWay, 'ca' | 'name'>,
  authority: X509Certificate,
  nowMs: number,
): CertificateHolder | undefined {
  const [leaf] = chain;
  if (!leaf || leaf.ca || !leaf.keyUsage?.includes(clientAuth)) return undefined;
  const { names, paths } = known.get(chain) ?? remembered(chain, leaf);
  if (!paths.has(ca)) paths.set(ca, pathTo(authority, leaf, chain.slice(1)));
  const path = paths.get(ca);
  if (!path || !path.every((certificate) => isValidAt(certificate, nowMs))) return undefined;
  if (name !== undefined && !names.includes(name)) return undefined;
  const subject = printable(name ?? names[0] ?? leaf.fingerprint256, maxSubjectLength);
  return { subject, untilMs: Math.min(...path.map(({ validTo }) => Date.parse(validTo))) };
}

function remembered(chain: ClientChain, leaf: X509Certificate): Known {
  const made = { names: [...commonNames(leaf), ...alternativeNames(leaf)], paths: new Map() };
  known.set(chain, made);
  return made;
}

/** Leaf, intermediates and authority, each signed by the next; the first issuer that fits is followed, and no other. */
function pathTo(
  authority: X509Certificate,
  leaf: X509Certificate,
  sent: readonly X509Certificate[],
): readonly X509Certificate[] | undefined {
  const path = [leaf];
  for (let at = leaf; path.length <= maxIntermediates + 1;) {
    if (isIssuedBy(at, authority)) return [...path, authority];
    const issuer = sent.find((candidate) => candidate.ca && !path.includes(candidate) && isIssuedBy(at, candidate));
    if (!issuer) return undefined;
    path.push(issuer);
    at = issuer;
  }
  return undefined;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // A key of a kind that Node does not know signed nothing here.
  }
}

function isValidAt({ validFrom, validTo }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs < Date.parse(validTo);
}

function commonNames(certificate: X509Certificate): string[] {
  const { CN = [] } = certificate.toLegacyObject().subject as { CN?: string | string[] };
  return [CN].flat();
}

const ALTERNATIVE = /(DNS|URI|email|[A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/**
 * DNS names, URIs and mail addresses. Node writes a value that could be taken for several in quotes (CVE-2021-44532);
 * text that is not read to its end gives no names at all.
 */
function alternativeNames({ subjectAltName = '' }: X509Certificate): string[] {
  const names: string[] = [];
  ALTERNATIVE.lastIndex = 0;
  for (let at = 0; at < subjectAltName.length; at = ALTERNATIVE.lastIndex) {
    const [, kind, value] = ALTERNATIVE.exec(subjectAltName) ?? [];
    if (kind === undefined || value === undefined) return [];
    if (!['DNS', 'URI', 'email'].includes(kind)) continue;
    names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value);
  }
  return names;
}
