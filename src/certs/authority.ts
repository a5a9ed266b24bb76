// A certificate authority of our own: the local one that a developer tells their agents to trust, and the edge's for
// its connectors. Key and certificate live in one file, so that they can never disagree, made once under a lock.
import { X509Certificate, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { encode } from './der.ts';
import { loadKey, makeKeyPair, type KeyPair } from './keyPair.ts';
import { isPermitted, nameConstraints, type PermittedNames } from './nameConstraints.ts';
import { hostName, type AltName } from './subjectAltName.ts';
import { clockSkewMs, extensionOf, signCertificate } from './x509.ts';

/** In the folder it is kept in: key and certificate. */
export const authorityFile = 'authority.pem';
const authorityYears = 10;

const dayMs = 86_400_000;
const PEM_BLOCKS =
  /^\s*(-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----)\s+(-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----)\s*$/;

export type AuthorityOptions = {
  files: PrivateFiles;
  folder: string;
  commonName: string;
  clock: Clock;
  /** The only names it may vouch for. A file made for other names is refused, never silently replaced. */
  permitted?: PermittedNames;
};

export class Authority {
  readonly certificatePem: string;
  readonly certificate: X509Certificate;
  readonly #key: KeyPair;
  readonly #clock: Clock;
  readonly #permitted: PermittedNames | undefined;

  constructor(certificatePem: string, key: KeyPair, clock: Clock, permitted?: PermittedNames) {
    this.certificatePem = certificatePem;
    this.certificate = new X509Certificate(certificatePem);
    this.#key = key;
    this.#clock = clock;
    this.#permitted = permitted;
  }

  /** Throws `CERTIFICATE_INVALID` naming the file when it is garbled, expired or made for other names. */
  static async loadOrCreate(options: AuthorityOptions): Promise<Authority> {
    const { files, folder, clock, permitted } = options;
    const path = join(folder, authorityFile);
    const text = (await files.read(path)) ?? (await files.update(path, async (old) => old ?? (await create(options))));
    const { key, certificatePem } = parse(text, path);
    const authority = new Authority(certificatePem, key, clock, permitted);
    checkUsable(authority.certificate, path, clock.now(), permitted);
    return authority;
  }

  /** A server certificate for DNS names and addresses. Throws `CERTIFICATE_INVALID` for a name it may not vouch for. */
  issueServer({ names, publicKey, days }: { names: readonly string[]; publicKey: KeyObject; days: number }): string {
    const permitted = this.#permitted;
    const foreign = permitted && names.find((name) => !isPermitted(permitted, name));
    if (foreign !== undefined) {
      throw new TunnelError('CERTIFICATE_INVALID', `this certificate authority may not vouch for ${foreign}`);
    }
    const commonName = names.find((name) => name.length <= 64) ?? 'MCP Tunnel';
    return this.#issue('server', commonName, names.map(hostName), publicKey, days);
  }

  /** A client certificate whose holder is `uri`. */
  issueClient({ uri, publicKey, days }: { uri: string; publicKey: KeyObject; days: number }): string {
    // With a space in it OpenSSL does not take the common name for a DNS name, which name constraints could refuse.
    return this.#issue('client', 'MCP Tunnel connector', [{ kind: 'uri', uri }], publicKey, days);
  }

  /** A certificate by which one node of an edge, `uri`, knows another, whichever of them dials. */
  issueNode({ uri, publicKey, days }: { uri: string; publicKey: KeyObject; days: number }): string {
    return this.#issue('node', 'MCP Tunnel node', [{ kind: 'uri', uri }], publicKey, days);
  }

  #issue(
    kind: 'server' | 'client' | 'node',
    commonName: string,
    names: AltName[],
    publicKey: KeyObject,
    days: number,
  ): string {
    const now = this.#clock.now();
    const notAfterMs = Math.min(now + days * dayMs, Date.parse(this.certificate.validTo));
    // A tenth at most of what lives for minutes: who renews at two thirds counts from the beginning.
    const validity = { notBeforeMs: now - Math.min(clockSkewMs, (days * dayMs) / 10), notAfterMs };
    return signCertificate(
      { kind, commonName, names, publicKey, issuer: this.certificate, ...validity },
      this.#key.privateKey,
    );
  }
}

async function create({ commonName, clock, permitted }: AuthorityOptions): Promise<string> {
  const key = await makeKeyPair();
  const notBeforeMs = clock.now() - clockSkewMs;
  const notAfterMs = notBeforeMs + authorityYears * 365 * dayMs;
  const constraints = permitted ? { permitted } : {};
  const certificatePem = signCertificate(
    { kind: 'authority', commonName, publicKey: key.publicKey, notBeforeMs, notAfterMs, ...constraints },
    key.privateKey,
  );
  return key.privateKeyPem + certificatePem;
}

function parse(text: string, path: string): { key: KeyPair; certificatePem: string } {
  try {
    const [, keyPem = '', certificatePem = ''] = PEM_BLOCKS.exec(text) ?? [];
    const key = loadKey(keyPem);
    const certificate = new X509Certificate(certificatePem);
    if (!certificate.ca || !certificate.checkPrivateKey(key.privateKey)) throw new Error('key and certificate differ');
    return { key, certificatePem: `${certificatePem}\n` };
  } catch (cause) {
    throw unusable(path, 'does not hold a key and the certificate that belongs to it', cause);
  }
}

function checkUsable(certificate: X509Certificate, path: string, now: number, permitted?: PermittedNames): void {
  if (Date.parse(certificate.validTo) <= now) throw unusable(path, `expired on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > now) {
    const since = `is not valid before ${certificate.validFrom}`;
    throw new TunnelError('CERTIFICATE_INVALID', `${path} ${since}: set this machine's clock right`, {
      data: { path },
    });
  }
  const wanted = permitted ? encode(nameConstraints(permitted)) : Buffer.alloc(0);
  const found = extensionOf(certificate, 'nameConstraints') ?? Buffer.alloc(0);
  if (!found.equals(wanted)) throw unusable(path, 'was made for other names');
}

function unusable(path: string, why: string, cause?: unknown): TunnelError {
  const fix = 'move the file away to have a new one made; whoever trusts the old one must then trust the new one';
  return new TunnelError('CERTIFICATE_INVALID', `the certificate authority in ${path} ${why}: ${fix}`, {
    cause,
    data: { path },
  });
}
