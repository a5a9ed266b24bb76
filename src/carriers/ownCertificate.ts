// The user's own certificate, from two PEM files that are read again when somebody renews them. At the start a file that
// is of no use is an error; later it is a warning, and agents go on seeing what was good.
import type { SecureContext } from 'node:tls';
import { readChain, type Chain } from '../certs/chain.ts';
import { delay, type Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { CertificateInfo } from '../protocol/control.ts';
import { ContextShelf, type InnerCertificate } from './innerCertificate.ts';

/** How soon a changed file is noticed. Links are what tools that renew swap, and those cannot be watched everywhere. */
export const rereadMs = 10_000;

export type OwnCertificateOptions = {
  certificateFile: string;
  keyFile: string;
  hostname: string;
  files: Pick<PrivateFiles, 'read'>;
  clock: Clock;
};

export class OwnCertificate implements InnerCertificate {
  readonly #options: OwnCertificateOptions;
  readonly #changed = new Emitter<void>();
  readonly #stop = new AbortController();
  #shown: { chain: Chain; contexts: ContextShelf };
  #problem: string | undefined;
  #running: Promise<void> = Promise.resolve();

  /** Throws `USAGE` for a file that cannot be read, or with what is wrong in it. */
  static async create(options: OwnCertificateOptions): Promise<OwnCertificate> {
    return new OwnCertificate(options, await read(options));
  }

  private constructor(options: OwnCertificateOptions, chain: Chain) {
    this.#options = options;
    this.#shown = shelved(chain);
  }

  readonly onChange = this.#changed.on;

  get info(): CertificateInfo {
    const { notAfterMs } = this.#shown.chain;
    const isOver = notAfterMs <= this.#options.clock.now();
    const warning = this.#problem ?? (isOver ? `${this.#options.certificateFile} is over: renew it` : undefined);
    return { kind: 'own', expiresMs: notAfterMs, ...(warning === undefined ? {} : { warning }) };
  }

  readonly context = (clientAuthorities: readonly string[] = []): SecureContext =>
    this.#shown.contexts.context(clientAuthorities);

  start(): void {
    this.#running = this.#reread();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #reread(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await delay(this.#options.clock, rereadMs, signal).catch(() => {});
      if (signal.aborted) return;
      const before = JSON.stringify(this.info);
      const { chainPem } = this.#shown.chain;
      try {
        const chain = await read(this.#options);
        if (chain.chainPem !== chainPem) this.#shown = shelved(chain);
        this.#problem = undefined;
      } catch (error) {
        this.#problem = `agents see the certificate of before: ${errorInfo(error).message}`;
      }
      if (JSON.stringify(this.info) !== before || this.#shown.chain.chainPem !== chainPem) this.#changed.emit();
    }
  }
}

const shelved = (chain: Chain): { chain: Chain; contexts: ContextShelf } => ({
  chain,
  contexts: new ContextShelf(chain.keyPem, chain.chainPem),
});

async function read({ certificateFile, keyFile, hostname, files, clock }: OwnCertificateOptions): Promise<Chain> {
  const [chainPem, keyPem] = await Promise.all([textOf(files, certificateFile), textOf(files, keyFile)]);
  const named = { what: certificateFile, whatKey: keyFile };
  try {
    return readChain({ chainPem, keyPem, hostname, nowMs: clock.now(), ...named });
  } catch (cause) {
    // A fault in files that a person named, not in what this machine was given by an edge.
    throw new TunnelError('USAGE', errorInfo(cause).message, { cause });
  }
}

async function textOf(files: Pick<PrivateFiles, 'read'>, file: string): Promise<string> {
  const text = await files.read(file).catch((cause: unknown) => {
    throw new TunnelError('USAGE', `${file} cannot be read: ${errorInfo(cause).message}`, { cause });
  });
  if (text === undefined) throw new TunnelError('USAGE', `there is no file ${file}`);
  return text;
}
