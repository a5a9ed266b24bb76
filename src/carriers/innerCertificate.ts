// The certificate that agents see at a tunnel, whoever signed it: the local CA (`localCertificate.ts`), a CA that speaks
// ACME (`acmeCertificate.ts`), or one that the user brought along (`ownCertificate.ts`).
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { strongTls } from '../certs/tlsProfile.ts';
import type { Unsubscribe } from '../core/emitter.ts';
import type { CertificateInfo } from '../protocol/control.ts';

export interface InnerCertificate {
  /** For the next connection; clients are asked for a certificate of one of the authorities (PEM), and of no other. */
  readonly context: (clientAuthorities?: readonly string[]) => SecureContext;
  /** What is shown now. */
  readonly info: CertificateInfo;
  onChange(listener: () => void): Unsubscribe;
  /** The tunnel is up: a CA that looks at the name from outside finds us. `isUp` tells whether that still holds. */
  start?(isUp: () => boolean): void;
  /** A CA looks just now whether the name is ours (TLS-ALPN-01), and what it is shown for it. */
  readonly isChallenged?: boolean;
  challenge?(serverName: string): SecureContext | undefined;
  close(): void | Promise<void>;
}

/** One key and chain, as TLS takes them: the plain context, and that for the last other set of client authorities. */
export class ContextShelf {
  readonly #key: string;
  readonly #chain: string;
  readonly #contexts = new Map<string, SecureContext>();

  constructor(keyPem: string, chainPem: string) {
    this.#key = keyPem;
    this.#chain = chainPem;
  }

  context(clientAuthorities: readonly string[]): SecureContext {
    const key = clientAuthorities.join('\n');
    const context = this.#contexts.get(key) ?? this.#make(clientAuthorities);
    for (const known of this.#contexts.keys()) if (known !== '' && known !== key) this.#contexts.delete(known);
    this.#contexts.set(key, context);
    return context;
  }

  #make(clientAuthorities: readonly string[]): SecureContext {
    return createSecureContext({
      ...strongTls,
      key: this.#key,
      cert: this.#chain,
      // A resumed session would bring the client's certificate without those that lead to its authority, and the verdict
      // of another day: who has one shows it at each connection.
      ...(clientAuthorities.length > 0
        ? { ca: [...clientAuthorities], secureOptions: strongTls.secureOptions | constants.SSL_OP_NO_TICKET }
        : {}),
    });
  }
}
