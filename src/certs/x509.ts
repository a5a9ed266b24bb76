// Builds and signs X.509 certificates (RFC 5280). node-forge cannot sign with EC keys, so it only writes the ASN.1
// and node:crypto signs it: ECDSA with SHA-256 (RFC 5758), P-256 throughout.
import { createHash, randomBytes, sign, type KeyObject, type X509Certificate } from 'node:crypto';
import {
  bits,
  boolean,
  children,
  content,
  decode,
  encode,
  isTagged,
  octets,
  oid,
  oidOf,
  pem,
  positiveInteger,
  sequence,
  set,
  smallInteger,
  tagged,
  time,
  utf8,
  type Der,
} from './der.ts';
import { nameConstraints, type PermittedNames } from './nameConstraints.ts';
import { subjectAltName, type AltName } from './subjectAltName.ts';

/** Certificates start to be valid a little in the past: the reader's clock may be behind ours. */
export const clockSkewMs = 5 * 60_000;

/** The longest commonName that RFC 5280 allows (ub-common-name). */
const maxCommonName = 64;

const oids = {
  commonName: '2.5.4.3',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  acmeIdentifier: '1.3.6.1.5.5.7.1.31',
} as const;

export type ExtensionName = 'subjectAltName' | 'nameConstraints';

type Common = { commonName: string; publicKey: KeyObject; notBeforeMs: number; notAfterMs: number };

export type CertificateSpec = Common &
  (
    | { kind: 'authority'; permitted?: PermittedNames }
    | { kind: 'server' | 'client' | 'node'; names: readonly AltName[]; issuer: X509Certificate }
    /** Signed with its own key: what a CA is shown that looks at a name (RFC 8737 §3). */
    | { kind: 'challenge'; names: readonly AltName[]; digest: Buffer }
  );

/** The signed certificate as PEM. `key` is the issuer's private key; an authority's own for itself. */
export function signCertificate(spec: CertificateSpec, key: KeyObject): string {
  const subject = distinguishedName(spec.commonName);
  const issuer = 'issuer' in spec ? issuerOf(spec.issuer) : { name: subject, key: spec.publicKey };
  const tbs = sequence(
    tagged(0, [smallInteger(2)]), // v3
    positiveInteger(serialNumber()),
    signatureAlgorithm(),
    issuer.name,
    sequence(time(spec.notBeforeMs), time(spec.notAfterMs)),
    subject,
    decode(spki(spec.publicKey)),
    tagged(3, [sequence(...extensions(spec, issuer.key))]),
  );
  return pem('CERTIFICATE', signed(tbs, key));
}

/** `value`, the algorithm and the signature over it: the outer shape of certificates and certificate requests. */
export function signed(value: Der, key: KeyObject): Buffer {
  return withSignature(value, sign('sha256', encode(value), key));
}

export const withSignature = (value: Der, signature: Buffer): Buffer =>
  encode(sequence(value, signatureAlgorithm(), bits(signature)));

export function distinguishedName(commonName: string): Der {
  return sequence(set(sequence(oid(oids.commonName), utf8(commonName.slice(0, maxCommonName)))));
}

export const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/** The value of an extension, or `undefined`. Throws a plain Error on bytes that are no certificate. */
export function extensionOf(certificate: X509Certificate, name: ExtensionName): Buffer | undefined {
  const wrapper = tbsOf(certificate).find((field) => isTagged(field, 3));
  const found = children(children(wrapper)[0]).filter((extension) => oidOf(children(extension)[0]) === oids[name]);
  if (found.length !== 1) return undefined;
  return content(children(found[0]).at(-1));
}

const signatureAlgorithm = (): Der => sequence(oid(oids.ecdsaWithSha256));

const tbsOf = (certificate: X509Certificate): Der[] => children(children(decode(certificate.raw))[0]);

/** The issuer's name as it wrote it, byte for byte: verifiers compare it so. */
function issuerOf(certificate: X509Certificate): { name: Der; key: KeyObject } {
  const name = tbsOf(certificate)[5]; // version, serial, algorithm, issuer, validity, subject
  if (!name) throw new Error('the issuer has no subject');
  return { name, key: certificate.publicKey };
}

/** 128 random bits, positive, at most 20 bytes (RFC 5280 §4.1.2.2). */
const serialNumber = (): Buffer => Buffer.concat([Buffer.from([0x01]), randomBytes(16)]);

/** A node of an edge is dialled by other nodes and dials them. */
const usesOf = {
  server: [oids.serverAuth],
  client: [oids.clientAuth],
  node: [oids.serverAuth, oids.clientAuth],
} as const;

function extensions(spec: CertificateSpec, issuerKey: KeyObject): Der[] {
  const identifiers = [
    extension('subjectKeyIdentifier', false, octets(keyIdentifier(spec.publicKey))),
    extension('authorityKeyIdentifier', false, sequence(tagged(0, keyIdentifier(issuerKey)))),
  ];
  if (spec.kind === 'authority') {
    return [
      extension('basicConstraints', true, sequence(boolean(true), smallInteger(0))), // CA, no CA below it
      extension('keyUsage', true, bits(Buffer.from([0b0000_0110]), 1)), // keyCertSign, cRLSign
      ...(spec.permitted ? [extension('nameConstraints', true, nameConstraints(spec.permitted))] : []),
      ...identifiers,
    ];
  }
  if (spec.kind === 'challenge') {
    return [
      extension('subjectAltName', false, subjectAltName(spec.names)),
      extension('acmeIdentifier', true, octets(spec.digest)),
    ];
  }
  return [
    extension('basicConstraints', true, sequence()),
    extension('keyUsage', true, bits(Buffer.from([0b1000_0000]), 7)), // digitalSignature
    extension('extendedKeyUsage', false, sequence(...usesOf[spec.kind].map(oid))),
    extension('subjectAltName', false, subjectAltName(spec.names)),
    ...identifiers,
  ];
}

export const extension = (name: keyof typeof oids, critical: boolean, value: Der): Der =>
  sequence(oid(oids[name]), ...(critical ? [boolean(true)] : []), octets(encode(value)));

/** RFC 7093 §2 method 1: the leftmost 160 bits of SHA-256 over the key's bit string. */
function keyIdentifier(key: KeyObject): Buffer {
  const keyBits = content(children(decode(spki(key)))[1]).subarray(1);
  return createHash('sha256').update(keyBits).digest().subarray(0, 20);
}
