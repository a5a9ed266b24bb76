// The certificate of the edge's own doors: the one that whoever runs the edge brought, else one of the edge's own CA.
// Our key is made once and kept, so that its pin outlives restarts and renewals; the certificate is renewed as it ages.
// A brought one is somebody else's to renew (certbot): it is read again, and only a whole and good one takes its place.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { Authority } from '../certs/authority.ts';
import { loadKey, makeKeyPair, type KeyPair } from '../certs/keyPair.ts';
import { pinOf } from '../certs/pin.ts';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { doorLabels } from '../protocol/edge.ts';

const serverKeyFile = 'server-key.pem';
export const serverDays = 90;

/** How often a brought certificate is read again by itself. */
export const reloadMs = 60_000;

/** PEM both; `pin` is what a connector can name instead of a CA. */
export type ServerCertificate = { keyPem: string; certificatePem: string; pin: string };

/** A certificate with its chain, and its key, as somebody brings them. PEM both. */
export type BroughtCertificate = { keyPem: string; certificatePem: string };
/** Where it comes from, each time it is read. */
export type ServerSource = () => Promise<BroughtCertificate>;

export interface ServerIdentity {
  current(): ServerCertificate;
  /** True when another certificate is shown from now on. Throws `CERTIFICATE_INVALID` or what reading throws; the last good one stays. */
  reload(): Promise<boolean>;
}

/** The doors and no `*.domain`: the edge must not be able to speak for its tenants' names. */
const doorsOf = (domain: string): string[] => [
  `${doorLabels.connect}.${domain}`,
  `${doorLabels.enroll}.${domain}`,
  domain,
];

type OwnOptions = { files: PrivateFiles; folder: string; domain: string; clock: Clock; authority: Authority };

export async function ownServerIdentity(options: OwnOptions): Promise<ServerIdentity> {
  const key = await loadOrCreateKey(options.files, join(options.folder, serverKeyFile));
  return new OwnIdentity(options, key);
}

class OwnIdentity implements ServerIdentity {
  readonly #options: OwnOptions;
  readonly #key: KeyPair;
  #current: ServerCertificate | undefined;
  #renewAtMs = 0;

  constructor(options: OwnOptions, key: KeyPair) {
    this.#options = options;
    this.#key = key;
  }

  current(): ServerCertificate {
    const { authority, clock, domain } = this.#options;
    const now = clock.now();
    if (this.#current && now < this.#renewAtMs) return this.#current;
    const { publicKey, privateKeyPem } = this.#key;
    const pem = authority.issueServer({ names: doorsOf(domain), publicKey, days: serverDays });
    const certificate = new X509Certificate(pem);
    this.#renewAtMs = now + ((Date.parse(certificate.validTo) - now) * 2) / 3;
    this.#current = { keyPem: privateKeyPem, certificatePem: pem, pin: pinOf(certificate) };
    return this.#current;
  }

  async reload(): Promise<boolean> {
    return false; // It renews itself.
  }
}

async function loadOrCreateKey(files: PrivateFiles, path: string): Promise<KeyPair> {
  const text =
    (await files.read(path)) ?? (await files.update(path, async (old) => old ?? (await makeKeyPair()).privateKeyPem));
  try {
    return loadKey(text);
  } catch (cause) {
    const fix = 'restore it, or move it away to have a new one made; pins of the old one then no longer match';
    throw new TunnelError('CERTIFICATE_INVALID', `${path} holds no key of this edge: ${fix}`, {
      cause,
      data: { path },
    });
  }
}

/** Throws what {@link ServerIdentity.reload} throws. */
export async function broughtServerIdentity(
  source: ServerSource,
  domain: string,
  clock: Clock,
): Promise<ServerIdentity> {
  const read = async (): Promise<ServerCertificate> => checkBrought(await source(), domain, clock.now());
  let current = await read();
  return {
    current: () => current,
    async reload() {
      const next = await read();
      if (next.certificatePem === current.certificatePem && next.keyPem === current.keyPem) return false;
      current = next;
      return true;
    },
  };
}

/** Throws `CERTIFICATE_INVALID` saying what is off. */
function checkBrought({ keyPem, certificatePem }: BroughtCertificate, domain: string, nowMs: number) {
  let certificate: X509Certificate;
  let belongs: boolean;
  let pin: string;
  try {
    certificate = new X509Certificate(certificatePem);
    belongs = certificate.checkPrivateKey(createPrivateKey(keyPem));
    pin = pinOf(certificate);
  } catch (cause) {
    throw new TunnelError('CERTIFICATE_INVALID', 'the certificate or key for the edge is not PEM', { cause });
  }
  const refuse = (why: string): never => {
    throw new TunnelError('CERTIFICATE_INVALID', `the certificate for the edge cannot be used: ${why}`);
  };
  if (!belongs) refuse('the key belongs to another certificate');
  if (Date.parse(certificate.validTo) <= nowMs) {
    refuse(`it expired on ${certificate.validTo}: renew it, or check this machine's clock`);
  }
  if (Date.parse(certificate.validFrom) > nowMs) {
    refuse(`it is not valid before ${certificate.validFrom}: check this machine's clock`);
  }
  const doors = doorsOf(domain).slice(0, 2);
  const missing = doors.find((name) => certificate.checkHost(name) === undefined);
  if (missing !== undefined) refuse(`it does not name ${missing}`);
  return { keyPem, certificatePem, pin };
}
