// The certificate of a CA that speaks ACME, where there is one; until then, and whenever it is over, the local CA's, with
// a warning that says why. What changes is shown to the next connection; the open ones go on as they are.
import type { SecureContext } from 'node:tls';
import type { Challenge } from '../certs/acmeOrder.ts';
import { AcmeRenewal, type AcmeRenewalOptions } from '../certs/acmeRenewal.ts';
import type { CertificateInfo } from '../protocol/control.ts';
import { ContextShelf, type InnerCertificate } from './innerCertificate.ts';

export type AcmeCertificateOptions = {
  local: InnerCertificate;
  renewal: Omit<AcmeRenewalOptions, 'show'>;
};

export class AcmeCertificate implements InnerCertificate {
  readonly onChange: InnerCertificate['onChange'];
  readonly #hostname: string;
  readonly #local: InnerCertificate;
  readonly #renewal: AcmeRenewal;
  #proof: ContextShelf | undefined;
  #shelf: { chainPem: string; contexts: ContextShelf } | undefined;

  /** What was kept is shown from the first connection on. */
  static async create(options: AcmeCertificateOptions): Promise<AcmeCertificate> {
    const certificate = new AcmeCertificate(options);
    await certificate.#renewal.load();
    return certificate;
  }

  private constructor({ local, renewal }: AcmeCertificateOptions) {
    this.#hostname = renewal.hostname;
    this.#local = local;
    this.#renewal = new AcmeRenewal({ ...renewal, show: (challenge) => this.#prove(challenge) });
    this.onChange = this.#renewal.onChange;
  }

  get info(): CertificateInfo {
    const { chain, warning, account } = this.#renewal;
    return {
      ...(chain ? { kind: 'acme', expiresMs: chain.notAfterMs } : this.#local.info),
      ...(warning === undefined ? {} : { warning }),
      ...(account === undefined ? {} : { account }),
    };
  }

  readonly context = (clientAuthorities: readonly string[] = []): SecureContext => {
    const { chain } = this.#renewal;
    if (!chain) return this.#local.context(clientAuthorities);
    if (this.#shelf?.chainPem !== chain.chainPem) {
      this.#shelf = { chainPem: chain.chainPem, contexts: new ContextShelf(chain.keyPem, chain.chainPem) };
    }
    return this.#shelf.contexts.context(clientAuthorities);
  };

  get isChallenged(): boolean {
    return this.#proof !== undefined;
  }

  challenge(serverName: string): SecureContext | undefined {
    return serverName === this.#hostname ? this.#proof?.context([]) : undefined;
  }

  start(isUp: () => boolean): void {
    this.#renewal.start(isUp);
  }

  async close(): Promise<void> {
    await this.#renewal.close();
    await this.#local.close();
  }

  #prove({ keyPem, certificatePem }: Challenge): () => void {
    const proof = new ContextShelf(keyPem, certificatePem);
    this.#proof = proof;
    return () => {
      if (this.#proof === proof) this.#proof = undefined;
    };
  }
}
