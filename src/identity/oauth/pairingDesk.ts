// Whether a person is at hand to let an agent in. Only while the developer holds the desk open does a request get this
// far, one at a time; the browser shows a number, and nothing is granted until the developer has typed it. So a stranger
// can neither raise a prompt on the developer's screen nor be let in by a thoughtless click.
import type { Clock, TimerHandle } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { TunnelError } from '../../core/errors.ts';
import type { Scope } from '../grantScope.ts';

export const pairingWindowMs = 5 * 60_000;
/** Wrong numbers until the request is denied. */
export const maxTries = 3;
/** A browser that has not asked for so long is gone, and the next one may come. */
export const browserSilentMs = 30_000;
/** Decided requests whose browser has not been told yet; the oldest makes room. */
const maxDecided = 20;

/** What the developer sees of who asks. `name` is the client's own word; `redirectHost` is where the code will go. */
export type PairingClient = {
  name: string;
  redirectHost: string;
  /** The code goes to a program on the browser's machine: its name proves nothing. */
  local: boolean;
  /** Host of the document that vouches for the name; absent for a client that registered itself. */
  documentHost?: string;
  scopes: string[];
};

/** `ruled`: the policy has rules of its own for this name, which the client chose. */
export type PendingPairing = PairingClient & { untilMs: number; triesLeft: number; ruled?: true };
export type PairingWindow = { untilMs: number; pending?: PendingPairing };

/** What a developer grants. */
export type PairingTerms = { name: string; scope: Scope; expiresMs: number };

export type PairingOutcome = 'approved' | 'denied' | 'wrong-number' | 'abandoned' | 'closed';

/** What the browser is to be shown. */
export type PairingVisit =
  | { kind: 'closed' }
  | { kind: 'busy' }
  | { kind: 'pending'; number: string; untilMs: number }
  | { kind: 'approved'; terms: PairingTerms }
  | { kind: 'refused'; outcome: Exclude<PairingOutcome, 'approved'> };

type Pending = { id: string; client: PairingClient; number: string; triesLeft: number; seenMs: number };
type Decision = Extract<PairingVisit, { kind: 'approved' | 'refused' }>;

export type PairingDeskOptions = {
  clock: Clock;
  /** A number in [0, below), by chance that nobody can foresee. */
  randomInt: (below: number) => number;
  hasRules?: ((name: string) => boolean) | undefined;
};

export class PairingDesk {
  readonly #options: PairingDeskOptions;
  readonly #changed = new Emitter<void>();
  readonly #asked = new Emitter<PendingPairing>();
  readonly #ended = new Emitter<{ outcome: PairingOutcome; client: PairingClient }>();
  readonly #decided = new Map<string, Decision>();
  #untilMs = 0;
  #pending: Pending | undefined;
  #closing: TimerHandle | undefined;
  #silence: TimerHandle | undefined;
  #attempts = 0;

  constructor(options: PairingDeskOptions) {
    this.#options = options;
  }

  readonly onChange = this.#changed.on;
  readonly onAsked = this.#asked.on;
  readonly onEnded = this.#ended.on;

  /** Requests that found the desk closed or busy. */
  get attempts(): number {
    return this.#attempts;
  }

  get window(): PairingWindow | undefined {
    this.#expire();
    if (this.#untilMs === 0) return undefined;
    const pending = this.#pending && this.#described(this.#pending);
    return { untilMs: this.#untilMs, ...(pending ? { pending } : {}) };
  }

  /** Five minutes from now, also when it is open already. */
  open(): PairingWindow {
    const { clock } = this.#options;
    this.#untilMs = clock.now() + pairingWindowMs;
    this.#closing?.cancel();
    this.#closing = clock.after(pairingWindowMs, () => this.close());
    this.#changed.emit();
    return this.window!;
  }

  close(): void {
    this.#closing?.cancel();
    const wasOpen = this.#untilMs !== 0;
    this.#untilMs = 0;
    if (this.#pending) this.#decide({ kind: 'refused', outcome: 'closed' });
    else if (wasOpen) this.#changed.emit();
  }

  /** Whether a new request may come in; one that may not is counted. */
  admits(): 'open' | 'closed' | 'busy' {
    this.#expire();
    const verdict = this.#untilMs === 0 ? 'closed' : this.#pending ? 'busy' : 'open';
    if (verdict === 'open') return verdict;
    this.#attempts += 1;
    this.#changed.emit();
    return verdict;
  }

  /** The browser of request `id` asks how it stands. */
  visit(id: string, client: PairingClient): PairingVisit {
    this.#expire();
    const decision = this.#decided.get(id);
    if (decision) {
      this.#decided.delete(id); // It counts once.
      return decision;
    }
    if (this.#untilMs === 0) return { kind: 'closed' };
    if (this.#pending && this.#pending.id !== id) return { kind: 'busy' };
    const nowMs = this.#options.clock.now();
    if (!this.#pending) {
      const number = String(this.#options.randomInt(1_000_000)).padStart(6, '0');
      this.#pending = { id, client, number, triesLeft: maxTries, seenMs: nowMs };
      this.#asked.emit(this.#described(this.#pending));
      this.#changed.emit();
    }
    this.#pending.seenMs = nowMs;
    this.#silence?.cancel();
    this.#silence = this.#options.clock.after(browserSilentMs, () => this.#expire());
    return { kind: 'pending', number: this.#pending.number, untilMs: this.#untilMs };
  }

  /** Whether `id` waits here or was decided here: its records must not make room for others. */
  knows(id: string): boolean {
    return this.#pending?.id === id || this.#decided.has(id);
  }

  /** Throws `NOT_FOUND` when nobody asks, `CONFLICT` for a wrong number: the third one denies the request. */
  answer(typed: string, terms: PairingTerms): PairingClient {
    const pending = this.#waiting();
    if (typed.replace(/[\s-]/g, '') === pending.number) {
      this.#decide({ kind: 'approved', terms });
      return pending.client;
    }
    pending.triesLeft -= 1;
    if (pending.triesLeft <= 0) {
      this.#decide({ kind: 'refused', outcome: 'wrong-number' });
      throw new TunnelError('CONFLICT', 'that was the third wrong number: the request is denied', {
        data: { triesLeft: 0 },
      });
    }
    this.#changed.emit();
    throw new TunnelError('CONFLICT', 'this is not the number that the browser shows; look again', {
      data: { triesLeft: pending.triesLeft },
    });
  }

  /** Throws `NOT_FOUND` when nobody asks. */
  deny(): void {
    this.#waiting();
    this.#decide({ kind: 'refused', outcome: 'denied' });
  }

  #waiting(): Pending {
    this.#expire();
    if (!this.#pending) throw new TunnelError('NOT_FOUND', 'no agent asks to be paired at the moment');
    return this.#pending;
  }

  /** A gone browser frees its place; any other end closes the desk: who wants another agent opens it again. */
  #decide(decision: Decision): void {
    const pending = this.#pending!;
    this.#pending = undefined;
    this.#silence?.cancel();
    this.#decided.set(pending.id, decision);
    if (this.#decided.size > maxDecided) this.#decided.delete(this.#decided.keys().next().value!);
    const outcome = decision.kind === 'approved' ? 'approved' : decision.outcome;
    if (outcome !== 'abandoned') {
      this.#untilMs = 0;
      this.#closing?.cancel();
    }
    this.#ended.emit({ outcome, client: pending.client });
    this.#changed.emit();
  }

  /** Looked at on every way in: a machine that slept runs its timers late. */
  #expire(): void {
    const nowMs = this.#options.clock.now();
    if (this.#untilMs !== 0 && nowMs >= this.#untilMs) this.close();
    if (this.#pending && nowMs - this.#pending.seenMs >= browserSilentMs) {
      this.#decide({ kind: 'refused', outcome: 'abandoned' });
    }
  }

  #described({ client, triesLeft }: Pending): PendingPairing {
    const ruled = this.#options.hasRules?.(client.name) ? { ruled: true as const } : {};
    return { ...client, scopes: [...client.scopes], untilMs: this.#untilMs, triesLeft, ...ruled };
  }
}
