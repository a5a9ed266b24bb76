// The certificate of the edge's own doors when nobody brought one. The key is made once and kept, so that its pin
// outlives restarts and renewals; the certificate is made again as it grows old.
import { X509Certificate, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { Authority } from '../certs/authority.ts';
import { loadKey, makeKeyPair } from '../certs/keyPair.ts';
import { pinOf } from '../certs/pin.ts';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { doorLabels } from '../protocol/edge.ts';

export const serverKeyFile = 'server-key.pem';
export const serverDays = 90;

/** PEM both; `pin` is what a connector can name instead of a CA. */
export type ServerCertificate = { keyPem: string; certificatePem: string; pin: string };

type Options = { files: PrivateFiles; folder: string; domain: string; clock: Clock };

export class ServerIdentity {
  readonly #authority: Authority;
  readonly #clock: Clock;
  readonly #names: string[];
  readonly #keyPem: string;
  readonly #publicKey: KeyObject;
  #current: ServerCertificate | undefined;
  #renewAtMs = 0;

  private constructor({ domain, clock }: Options, authority: Authority, keyPem: string, publicKey: KeyObject) {
    this.#authority = authority;
    this.#clock = clock;
    // The doors and no `*.domain`: the edge must not be able to speak for its tenants' names.
    this.#names = [domain, `${doorLabels.connect}.${domain}`, `${doorLabels.enroll}.${domain}`];
    this.#keyPem = keyPem;
    this.#publicKey = publicKey;
  }

  static async load(options: Options, authority: Authority): Promise<ServerIdentity> {
    const path = join(options.folder, serverKeyFile);
    const { files } = options;
    const text =
      (await files.read(path)) ?? (await files.update(path, async (old) => old ?? (await makeKeyPair()).privateKeyPem));
    try {
      const key = loadKey(text);
      return new ServerIdentity(options, authority, key.privateKeyPem, key.publicKey);
    } catch (cause) {
      const fix = 'restore it, or move it away to have a new one made; pins of the old one then no longer match';
      throw new TunnelError('CERTIFICATE_INVALID', `${path} holds no key of this edge: ${fix}`, {
        cause,
        data: { path },
      });
    }
  }

  current(): ServerCertificate {
    const now = this.#clock.now();
    if (!this.#current || now >= this.#renewAtMs) {
      const certificatePem = this.#authority.issueServer({
        names: this.#names,
        publicKey: this.#publicKey,
        days: serverDays,
      });
      const certificate = new X509Certificate(certificatePem);
      this.#renewAtMs = now + ((Date.parse(certificate.validTo) - now) * 2) / 3;
      this.#current = { keyPem: this.#keyPem, certificatePem, pin: pinOf(certificate) };
    }
    return this.#current;
  }
}
