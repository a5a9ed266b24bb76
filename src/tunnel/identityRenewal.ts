// Keeps this machine's certificate for an edge young while a tunnel is up, for months if need be: looks at the file, and
// renews when two thirds of the certificate's life are over. What goes wrong is told at once, with a month to spare, and
// tried again ever later, though never so late that the end could come in between.
import { Backoff } from '../core/backoff.ts';
import { delay, type Random } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo } from '../core/errors.ts';
import type { Closable } from '../core/lifetime.ts';
import type { RenewedCertificate } from '../protocol/edge.ts';
import type { IdentityOptions } from './edgeIdentity.ts';
import { identityState, renewIdentity, type IdentityState } from './renewIdentity.ts';

/** How often the file is looked at: timers do not count while a machine sleeps, and other processes renew as well. */
export const renewalCheckMs = 3_600_000;
/** How long the edge may take, shorter than others wait for the file's lock. */
export const renewalAnswerMs = 8000;
export const renewalRetryMs = 60_000;
export const renewalRetryMaxMs = 6 * 3_600_000;

export type IdentityRenewalOptions = IdentityOptions & {
  domain: string;
  /** Asks the edge over a link that is up, or rejects. */
  ask: (csr: string, signal: AbortSignal) => Promise<RenewedCertificate>;
  random: Random;
  log: (message: string) => void;
};

export class IdentityRenewal implements Closable {
  readonly #options: IdentityRenewalOptions;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  readonly #changed = new Emitter<void>();
  readonly #running: Promise<void>;
  #warning: string | undefined;

  constructor(options: IdentityRenewalOptions) {
    const { random } = options;
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: renewalRetryMs, maxMs: renewalRetryMaxMs, random });
    this.#running = this.#run();
  }

  /** What went wrong last, as long as nothing has gone right since: the tunnel ends with the certificate. */
  get warning(): string | undefined {
    return this.#warning;
  }

  readonly onChange = this.#changed.on;

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const waitMs = await this.#look();
      await delay(this.#options.clock, waitMs, signal).catch(() => {}); // Closed.
    }
  }

  /** How long to wait for the next look. */
  async #look(): Promise<number> {
    const { domain, clock, log } = this.#options;
    let known: IdentityState | undefined;
    try {
      known = await identityState(domain, this.#options);
      if (clock.now() < known.dueMs) {
        this.#warn(undefined);
        return this.#until(known);
      }
      const state = await renewIdentity(domain, this.#options, (csr) => this.#ask(csr));
      if (state.renewed) log(`this machine's certificate for ${domain} was renewed; it ends on ${day(state.endsMs)}`);
      this.#backoff.reset();
      this.#warn(undefined);
      return this.#until(state);
    } catch (error) {
      if (this.#stop.signal.aborted) return 0;
      const waitMs = this.#retryMs(known);
      const end = known ? `, which ends on ${day(known.endsMs)},` : '';
      const next = `next try in ${Math.ceil(waitMs / 60_000)} min`;
      const warning = `this machine's certificate for ${domain}${end} could not be renewed: ${errorInfo(error).message}`;
      log(`${warning}; ${next}`);
      this.#warn(warning);
      return waitMs;
    }
  }

  #warn(warning: string | undefined): void {
    if (warning === this.#warning || this.#stop.signal.aborted) return;
    this.#warning = warning;
    this.#changed.emit();
  }

  async #ask(csr: string): Promise<RenewedCertificate> {
    const { ask, clock } = this.#options;
    const tooLate = new AbortController();
    const timer = clock.after(renewalAnswerMs, () => tooLate.abort());
    try {
      return await ask(csr, AbortSignal.any([tooLate.signal, this.#stop.signal]));
    } finally {
      timer.cancel();
    }
  }

  /** Up to a tenth later than due: machines that were enrolled together do not all come at once. */
  #until({ dueMs, endsMs }: IdentityState): number {
    const { clock, random } = this.#options;
    const leftMs = dueMs - clock.now();
    if (leftMs <= 0) return renewalCheckMs; // The edge gives no longer ones: its own authority is about to end.
    return Math.min(leftMs + (random() * (endsMs - dueMs)) / 10, renewalCheckMs);
  }

  #retryMs(known: IdentityState | undefined): number {
    const leftMs = known ? known.endsMs - this.#options.clock.now() : Infinity;
    const backoffMs = renewalRetryMs + this.#backoff.next();
    return leftMs > 0 ? Math.max(1000, Math.min(backoffMs, leftMs / 4)) : backoffMs;
  }
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
