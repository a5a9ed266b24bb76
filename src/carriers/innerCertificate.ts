// The certificate that agents see at a tunnel: signed by the local CA, with a key that never leaves this process.
// It is made anew when two thirds of its life are over, without anybody noticing.
import { constants } from 'node:crypto';
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
  /** Shown now, until it is renewed. */
  #certificate: string;
  /** By the authorities of clients; the plain one, and those of the last other set. */
  #contexts = new Map<string, SecureContext>();
  #renewAtMs: number;

  /** Throws `CERTIFICATE_INVALID` when the local CA may not vouch for one of the names. */
  static async create(options: InnerCertificateOptions): Promise<InnerCertificate> {
    return new InnerCertificate(options, await makeKeyPair());
  }

  private constructor(options: InnerCertificateOptions, key: KeyPair) {
    this.#options = options;
    this.#key = key;
    this.#certificate = this.#issue();
    this.#renewAtMs = options.clock.now() + renewAfterMs;
  }

  /** For the next connection; clients are asked for a certificate of one of the authorities (PEM), and of no other. */
  readonly context = (clientAuthorities: readonly string[] = []): SecureContext => {
    const now = this.#options.clock.now();
    if (now >= this.#renewAtMs) {
      this.#certificate = this.#issue();
      this.#contexts.clear();
      this.#renewAtMs = now + renewAfterMs;
    }
    const key = clientAuthorities.join('\n');
    const context = this.#contexts.get(key) ?? this.#make(clientAuthorities);
    for (const known of this.#contexts.keys()) if (known !== '' && known !== key) this.#contexts.delete(known);
    this.#contexts.set(key, context);
    return context;
  };

  #make(clientAuthorities: readonly string[]): SecureContext {
    return createSecureContext({
      key: this.#key.privateKeyPem,
      cert: this.#certificate,
      minVersion: 'TLSv1.2',
      // A resumed session would bring the client's certificate without those that lead to its authority, and the verdict
      // of another day: who has one shows it at each connection.
      ...(clientAuthorities.length > 0
        ? { ca: [...clientAuthorities], secureOptions: constants.SSL_OP_NO_TICKET }
        : {}),
    });
  }

  #issue(): string {
    const { authority, names } = this.#options;
    return authority.issueServer({ names, publicKey: this.#key.publicKey, days: innerDays });
  }
}
