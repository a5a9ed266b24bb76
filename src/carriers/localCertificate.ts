// The certificate that agents see where nobody asked for another one: signed by the local CA, with a key that never
// leaves this process. It is made anew when two thirds of its life are over, without anybody noticing.
import type { SecureContext } from 'node:tls';
import type { Authority } from '../certs/authority.ts';
import { makeKeyPair, type KeyPair } from '../certs/keyPair.ts';
import type { Clock } from '../core/clock.ts';
import type { CertificateInfo } from '../protocol/control.ts';
import { ContextShelf, type InnerCertificate } from './innerCertificate.ts';

export const innerDays = 30;
const lifetimeMs = innerDays * 86_400_000;
const renewAfterMs = (lifetimeMs * 2) / 3;

export type LocalCertificateOptions = { authority: Authority; names: readonly string[]; clock: Clock };

export class LocalCertificate implements InnerCertificate {
  readonly #options: LocalCertificateOptions;
  readonly #key: KeyPair;
  #contexts: ContextShelf;
  #madeMs: number;

  /** Throws `CERTIFICATE_INVALID` when the local CA may not vouch for one of the names. */
  static async create(options: LocalCertificateOptions): Promise<LocalCertificate> {
    return new LocalCertificate(options, await makeKeyPair());
  }

  private constructor(options: LocalCertificateOptions, key: KeyPair) {
    this.#options = options;
    this.#key = key;
    this.#contexts = this.#issue();
    this.#madeMs = options.clock.now();
  }

  get info(): CertificateInfo {
    return { kind: 'local', expiresMs: this.#madeMs + lifetimeMs };
  }

  readonly onChange: InnerCertificate['onChange'] = () => () => {}; // A renewal is no news.

  readonly context = (clientAuthorities: readonly string[] = []): SecureContext => {
    const now = this.#options.clock.now();
    if (now >= this.#madeMs + renewAfterMs) {
      this.#contexts = this.#issue();
      this.#madeMs = now;
    }
    return this.#contexts.context(clientAuthorities);
  };

  close(): void {}

  #issue(): ContextShelf {
    const { authority, names } = this.#options;
    const { publicKey, privateKeyPem } = this.#key;
    return new ContextShelf(privateKeyPem, authority.issueServer({ names, publicKey, days: innerDays }));
  }
}
