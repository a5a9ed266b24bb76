// Certificates of a kind that our own code would not make: expired, for another purpose, of a namesake, with a link too
// many. Made by node-forge, with RSA keys that are made once.
import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';

type Keys = forge.pki.rsa.KeyPair;

const spare: Keys[] = [];

function newKeys(): Keys {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
  const key = forge.pki.privateKeyFromPem(pem);
  return { privateKey: key, publicKey: forge.pki.setRsaPublicKey(key.n, key.e) };
}

/** Of every client's certificate: what differs is who signed it. */
function clientKeys(): Keys {
  spare[0] ??= newKeys();
  return spare[0];
}

export type Issuer = {
  cert: string;
  signs(certificate: forge.pki.Certificate): void;
  name: forge.pki.CertificateField[];
};

export type ClientOptions = {
  cn?: string;
  /** Alternative names, as forge writes them: type 2 is DNS, 6 a URI. */
  san?: { type: number; value: string }[];
  usage?: 'client' | 'server' | 'none';
  /** From one moment to another. */
  valid?: [Date, Date];
};

const hour = 3_600_000;
let serial = 1;

function certificate(
  keys: Keys,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  [from, to]: [Date, Date],
): forge.pki.Certificate {
  const made = forge.pki.createCertificate();
  made.publicKey = keys.publicKey;
  made.serialNumber = (serial++).toString(16).padStart(4, '0');
  made.validity.notBefore = from;
  made.validity.notAfter = to;
  made.setSubject(subject);
  made.setIssuer(issuer);
  return made;
}

const now = (): [Date, Date] => [new Date(Date.now() - hour), new Date(Date.now() + 24 * hour)];

/** A root, or below `parent` an intermediate. */
export function anIssuer(cn: string, parent?: Issuer, constraints: { pathLenConstraint?: number } = {}): Issuer {
  const keys = newKeys();
  const name = [{ name: 'commonName', value: cn }];
  const cert = certificate(keys, name, parent?.name ?? name, now());
  cert.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true, ...constraints },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ]);
  const signs = (other: forge.pki.Certificate): void => other.sign(keys.privateKey, forge.md.sha256.create());
  if (parent) parent.signs(cert);
  else signs(cert);
  return { cert: pem(cert), signs, name };
}

/** A client's certificate and key; without an issuer it signs itself. */
export function aClient(issuer: Issuer | undefined, options: ClientOptions = {}): { cert: string; key: string } {
  const { cn = 'build.example', san = [], usage = 'client', valid = now() } = options;
  const keys = clientKeys();
  const name = [{ name: 'commonName', value: cn }];
  const cert = certificate(keys, name, issuer?.name ?? name, valid);
  cert.setExtensions([
    { name: 'basicConstraints', cA: false },
    ...(usage === 'none'
      ? []
      : [{ name: 'extKeyUsage', clientAuth: usage === 'client', serverAuth: usage === 'server' }]),
    ...(san.length === 0 ? [] : [{ name: 'subjectAltName', altNames: san }]),
  ]);
  if (issuer) issuer.signs(cert);
  else cert.sign(keys.privateKey, forge.md.sha256.create());
  return { cert: pem(cert), key: forge.pki.privateKeyToPem(keys.privateKey) };
}

function pem(cert: forge.pki.Certificate): string {
  return forge.pki.certificateToPem(cert);
}
