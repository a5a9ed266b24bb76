// Keeps one name's certificate from a certificate authority fresh, for as long as its tunnel is open: takes the one that
// was kept, orders the first, renews at two thirds of its life. Whatever goes wrong becomes a sentence for a person and a
// time at which it is tried again, which restarts do not reset; what agents see meanwhile is not decided here.
import { X509Certificate } from 'node:crypto';
import { delay, type Clock, type Random } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { AcmeFailure } from './acmeFailure.ts';
import type { AcmeClient } from './acmeLibrary.ts';
import { orderCertificate, type Challenge } from './acmeOrder.ts';
import { busyMs, heldBackUntilMs, personMs, renewAtMs, restAfterMs, termsMs, waitAfterMs } from './acmeSchedule.ts';
import type { AcmeEntry, AcmeStore } from './acmeStore.ts';
import type { AcmeRequest } from './acmeTransport.ts';
import { readChain, type Chain } from './chain.ts';
import { makeKeyPair } from './keyPair.ts';
import { createServerCsr } from './serverCsr.ts';

/** The clock is looked at so often at least: timers know nothing of a machine that slept or was set right. */
const longestSleepMs = 3_600_000;
const shortestSleepMs = 1_000;

export type AcmeRenewalOptions = {
  hostname: string;
  /** URL of the authority's directory. */
  directory: string;
  agreedToTerms: boolean;
  email?: string;
  store: AcmeStore;
  /** Who orders for a name, of all processes of this machine; `undefined` while another one does. */
  lock: (path: string) => Promise<(() => Promise<void>) | undefined>;
  makeRequest: (signal: AbortSignal) => AcmeRequest;
  show: (challenge: Challenge) => () => void;
  clock: Clock;
  random: Random;
  log: (message: string) => void;
};

export class AcmeRenewal {
  readonly #options: AcmeRenewalOptions;
  readonly #host: string;
  readonly #stop = new AbortController();
  readonly #changed = new Emitter<void>();
  #chain: Chain | undefined;
  #account: string | undefined;
  #problem: { text: string; retryAtMs: number } | undefined;
  #running: Promise<void> = Promise.resolve();
  #told = '';

  constructor(options: AcmeRenewalOptions) {
    this.#options = options;
    this.#host = new URL(options.directory).host;
  }

  readonly onChange = this.#changed.on;

  /** What the authority issued, while it holds. */
  get chain(): Chain | undefined {
    return this.#chain && this.#options.clock.now() < this.#chain.notAfterMs ? this.#chain : undefined;
  }

  get account(): string | undefined {
    return this.#account;
  }

  get warning(): string | undefined {
    const { chain } = this;
    const problem = this.#problem && `${this.#problem.text}; tried again at ${instant(this.#problem.retryAtMs)}`;
    if (chain && chain.notBeforeMs > this.#options.clock.now()) {
      return `by this machine’s clock the certificate does not hold before ${instant(chain.notBeforeMs)}: set the clock right`;
    }
    if (chain) return problem && `the certificate was not renewed: ${problem}`;
    const own = 'agents see a certificate of this machine’s own authority';
    return problem ? `${own}: ${problem}` : `${own} until ${this.#host} has issued one`;
  }

  /** Takes the certificate that was kept, so that agents see it from the first connection on. */
  async load(): Promise<void> {
    try {
      this.#account = (await this.#options.store.account()).url;
      this.#take(await this.#options.store.entry(this.#options.hostname));
    } catch (error) {
      this.#problem = { text: sentence(error), retryAtMs: this.#options.clock.now() + personMs };
    }
    this.#told = this.#state();
  }

  /** `isUp`: the authority can find the tunnel now. */
  start(isUp: () => boolean): void {
    this.#running = this.#run(isUp);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(isUp: () => boolean): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const atMs = await this.#step(isUp).catch((error: unknown) => this.#failed(error, clock.now() + personMs));
      this.#tell();
      const expiryMs = this.chain?.notAfterMs ?? Infinity; // Then agents see another one, and somebody should say so.
      const waitMs = Math.min(atMs, expiryMs) - clock.now();
      await delay(clock, Math.min(Math.max(waitMs, shortestSleepMs), longestSleepMs), signal).catch(() => {});
    }
  }

  /** Does what is due; returns when there is something to do next. */
  async #step(isUp: () => boolean): Promise<number> {
    const { store, hostname, clock } = this.#options;
    const entry = await store.entry(hostname);
    this.#take(entry);
    const dueMs = this.#dueMs(entry);
    if (dueMs > clock.now()) return dueMs;
    if (!isUp()) return clock.now() + busyMs;
    const letGo = await this.#options.lock(store.lockPath(hostname));
    if (!letGo) return this.#failed(new AcmeFailure('busy', 'another process orders it'), clock.now() + busyMs);
    try {
      // Whoever held the lock before may have done it.
      const newest = await store.entry(hostname);
      this.#take(newest);
      return this.#dueMs(newest) > clock.now() ? this.#dueMs(newest) : await this.#attempt(newest);
    } finally {
      await letGo();
    }
  }

  #dueMs(entry: AcmeEntry): number {
    const now = this.#options.clock.now();
    const chain = this.chain;
    if (chain && renewAtMs(chain) > now) {
      this.#problem = undefined;
      return renewAtMs(chain);
    }
    const heldMs = heldBackUntilMs(entry.issued, now);
    if (heldMs > now) {
      return this.#failed(new AcmeFailure('person', `enough certificates were issued for this name in a week`), heldMs);
    }
    if (entry.notBeforeMs <= now) return 0;
    if (entry.failures === 0) return entry.notBeforeMs;
    return this.#failed(new AcmeFailure('refused', entry.problem ?? 'the last attempt did not end'), entry.notBeforeMs);
  }

  async #attempt(before: AcmeEntry): Promise<number> {
    const { store, hostname, clock, random, log } = this.#options;
    const { signal } = this.#stop;
    let looked = false;
    try {
      const client = await this.#client(signal);
      await this.#register(client);
      // Whatever ends this process from here on, the next one waits as after a failure.
      const presumed = clock.now() + waitAfterMs({ kind: 'refused', retryAfterMs: 0 }, before.failures + 1, random);
      await store.change(hostname, (entry) => ({
        ...withoutProblem(entry),
        failures: before.failures + 1,
        notBeforeMs: presumed,
      }));
      const chain = await this.#order(client, signal, () => (looked = true));
      const { keyPem, chainPem, notAfterMs } = chain;
      this.#chain = chain;
      this.#problem = undefined;
      log(`${this.#host} issued a certificate for ${hostname}, good until ${new Date(notAfterMs).toISOString()}`);
      const restMs = restAfterMs(chain, clock.now());
      await store.change(hostname, (entry) => ({
        ...withoutProblem(entry),
        certificate: { keyPem, chainPem },
        failures: 0,
        notBeforeMs: restMs,
      }));
      return Math.max(renewAtMs(chain), restMs);
    } catch (error) {
      if (signal.aborted) {
        if (!looked) await store.change(hostname, (entry) => ({ ...entry, ...attemptsOf(before) }));
        return Infinity;
      }
      return this.#note(error, before);
    }
  }

  async #client(signal: AbortSignal): Promise<AcmeClient> {
    const { store, directory, makeRequest } = this.#options;
    const [{ makeAcmeClient }, account] = await Promise.all([import('./acmeLibrary.ts'), store.account()]);
    const { keyPem, url } = account;
    const known = url === undefined ? {} : { accountUrl: url };
    return makeAcmeClient({ directory, accountKeyPem: keyPem, ...known, request: makeRequest(signal) });
  }

  /** The same key gets the same account, so two that register at once get one. */
  async #register(client: AcmeClient): Promise<void> {
    const { store, agreedToTerms, email } = this.#options;
    const known = (await store.account()).url;
    if (known === undefined) {
      const terms: unknown = await client.getTermsOfServiceUrl();
      if (typeof terms === 'string' && !agreedToTerms) {
        const where = printable(terms);
        const how =
          'read them, and if you agree say so with --acme-agree-tos or in the setting mcpTunnel.acme.agreeToTerms';
        const message = `${this.#host} has terms of service (${where}): ${how}`;
        throw new AcmeFailure('person', message, { retryAfterMs: termsMs });
      }
      await client.createAccount({
        ...(agreedToTerms ? { termsOfServiceAgreed: true } : {}),
        ...(email === undefined ? {} : { contact: [`mailto:${email}`] }),
      });
      await store.keepAccountUrl(client.getAccountUrl());
    }
    this.#account = printable(known ?? client.getAccountUrl());
  }

  async #order(client: AcmeClient, signal: AbortSignal, onLook: () => void): Promise<Chain> {
    const { store, hostname, show, clock } = this.#options;
    const key = await makeKeyPair();
    const csrPem = createServerCsr(key, [{ kind: 'dns', name: hostname }]);
    const chainPem = await orderCertificate({
      client,
      hostname,
      authority: this.#host,
      csrPem,
      show,
      onLook,
      clock,
      signal,
    });
    // Counted before it is judged: to the authority it is one of those that it issues in a week.
    const issued = { atMs: clock.now(), lifetimeMs: lifetimeMs(chainPem) };
    await store.change(hostname, (entry) => ({ ...entry, issued: [...entry.issued, issued] }));
    return this.#read({ keyPem: key.privateKeyPem, chainPem }, hostname);
  }

  /** Writes down what went wrong; returns when it is tried again. */
  async #note(error: unknown, before: AcmeEntry): Promise<number> {
    const { store, hostname, clock, random, log } = this.#options;
    const failure = asFailure(error);
    const failures = before.failures + 1;
    const atMs = clock.now() + waitAfterMs(failure, failures, random);
    this.#failed(error, atMs);
    log(this.warning ?? '');
    const counts = failure.kind === 'refused' || failure.kind === 'unreachable';
    await store.change(hostname, (entry) => ({
      ...entry,
      ...(counts ? { failures, notBeforeMs: atMs, problem: sentence(error) } : attemptsOf(before)),
    }));
    if (/accountDoesNotExist/.test(failure.message)) await store.keepAccountUrl(undefined);
    return atMs;
  }

  /** The kept one, where it is good and newer than what is shown. */
  #take({ certificate, hostname }: AcmeEntry): void {
    if (!certificate || certificate.chainPem === this.#chain?.chainPem) return;
    try {
      const chain = this.#read(certificate, hostname);
      if (!this.#chain || chain.notAfterMs > this.#chain.notAfterMs) this.#chain = chain;
    } catch {
      // It is over, or no longer readable: another one is ordered, as soon as the schedule lets it.
    }
  }

  /** One that begins later is good: its authority's clock is not ours, and agents go by their own. */
  #read(certificate: { keyPem: string; chainPem: string }, hostname: string): Chain {
    const question = { ...certificate, hostname, what: `the certificate from ${this.#host}` };
    const { notBeforeMs } = readChain(question);
    return readChain({ ...question, nowMs: Math.max(notBeforeMs, this.#options.clock.now()) });
  }

  #failed(error: unknown, retryAtMs: number): number {
    this.#problem = { text: sentence(error), retryAtMs };
    return retryAtMs;
  }

  #tell(): void {
    const state = this.#state();
    if (state === this.#told || this.#stop.signal.aborted) return;
    this.#told = state;
    this.#changed.emit();
  }

  #state(): string {
    return JSON.stringify([this.chain?.chainPem, this.warning, this.#account]);
  }
}

const attemptsOf = ({ failures, notBeforeMs }: AcmeEntry): Pick<AcmeEntry, 'failures' | 'notBeforeMs'> => ({
  failures,
  notBeforeMs,
});

/** To the second, as anybody reads it. */
const instant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

const longLivedMs = 90 * 86_400_000;

/** What cannot be read counts as one that lives long. */
function lifetimeMs(chainPem: string): number {
  try {
    const { validFrom, validTo } = new X509Certificate(chainPem);
    return Date.parse(validTo) - Date.parse(validFrom);
  } catch {
    return longLivedMs;
  }
}

function withoutProblem({ problem: _problem, ...entry }: AcmeEntry): AcmeEntry {
  return entry;
}

/** What the library throws by itself is its word on an answer that it could not use. */
function asFailure(error: unknown): AcmeFailure {
  if (error instanceof AcmeFailure) return error;
  const ours = error instanceof TunnelError && error.code !== 'CERTIFICATE_INVALID';
  return new AcmeFailure(ours ? 'person' : 'refused', sentence(error), { cause: error });
}

function sentence(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error));
}
