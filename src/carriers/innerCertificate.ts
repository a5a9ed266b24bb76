// The certificate that agents see at a tunnel: signed by the local CA, with a key that never leaves this process.
// It is made anew when two thirds of its life are over, without anybody noticing.
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Authority } from '../certs/authority.ts';
import { makeKeyPair, type KeyPair } from '../certs/keyPair.ts';
import type { Clock } from '../core/clock.ts';

export const innerDays = 30;
const renewAfterMs = (innerDays * 86_400_000 * 2) / 3;

export type InnerCertificateOptions = { authority: Authority; names: readonly string[]; clock: Clock };

export class InnerCertificate {
  readonly #options: InnerCertificateOptions;
  readonly #key: KeyPair;
  #context: SecureContext;
  #renewAtMs: number;

  /** Throws `CERTIFICATE_INVALID` when the local CA may not vouch for one of the names. */
  static async create(options: InnerCertificateOptions): Promise<InnerCertificate> {
    return new InnerCertificate(options, await makeKeyPair());
  }

  private constructor(options: InnerCertificateOptions, key: KeyPair) {
    this.#options = options;
    this.#key = key;
    this.#context = this.#issue();
    this.#renewAtMs = options.clock.now() + renewAfterMs;
  }

  /** For the next connection. */
  readonly context = (): SecureContext => {
    const now = this.#options.clock.now();
    if (now >= this.#renewAtMs) {
      this.#context = this.#issue();
      this.#renewAtMs = now + renewAfterMs;
    }
    return this.#context;
  };

  #issue(): SecureContext {
    const { authority, names } = this.#options;
    const cert = authority.issueServer({ names, publicKey: this.#key.publicKey, days: innerDays });
    return createSecureContext({ key: this.#key.privateKeyPem, cert, minVersion: 'TLSv1.2' });
  }
}
