// What is under way, and for whom. What is open goes on only as long as it would be let in and decided in the same way
// now: it ends with the proof that let it in, and is judged again when the policy or its grant becomes another one.
import type { Clock, TimerHandle } from '../core/clock.ts';
import type { AuthResult, Principal, Proof } from '../identity/grants.ts';
import type { RpcId } from '../mcp/message.ts';
import type { Decision } from '../policy/decide.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';
import { answersText, withdrawnCall } from './refusals.ts';

/** Timers stand still while the machine sleeps, and know nothing of a clock that is set: proofs are looked at so often. */
export const longestWaitMs = 60_000;

/** An exchange whose principal is known. The principal is replaced when its grant becomes another one. */
export type Visit = {
  readonly exchange: Exchange;
  readonly proof: Proof;
  principal: Principal;
  /** When the proof ends (milliseconds since the epoch). */
  expiresMs: number;
  /** What it asks for, once that was decided. */
  call?: Call;
  /** It may not be made any more, and its answer comes in another exchange. `answers` are ours, by the ids of its requests. */
  onWithdrawn?: (why: string, answers: ReadonlyMap<RpcId, string>) => void;
};

export type OpenExchangesOptions = {
  clock: Clock;
  /** Who it is now. */
  judgeAgain: (proof: Proof) => AuthResult;
  /** Whether the call may be made now. */
  decide: (principal: Principal, call: Call) => Decision;
};

export class OpenExchanges {
  readonly #options: OpenExchangesOptions;
  /** As many at the same time as the limits of all principals let in. */
  readonly #visits = new Set<Visit>();
  #timer: TimerHandle | undefined;
  /** When the timer looks next: no later than the first proof ends. */
  #looksAtMs = Infinity;

  constructor(options: OpenExchangesOptions) {
    this.#options = options;
  }

  add(visit: Visit): void {
    this.#visits.add(visit);
    this.#lookAt(visit.expiresMs);
  }

  delete(visit: Visit): void {
    this.#visits.delete(visit);
  }

  /** A grant was revoked: what it has open ends now. */
  endGrant(grant: string): void {
    for (const { principal, exchange } of this.#visits) {
      if (principal.grant === grant) exchange.end('the grant was revoked');
    }
  }

  /** `why` is what changed, as a clause; with `grant`, what is open for it alone is looked at. */
  judgeAgain(why: string, grant?: string): void {
    for (const visit of this.#visits) {
      if (grant === undefined || visit.principal.grant === grant) this.#judgeOne(visit, why);
    }
  }

  /** Nothing stays open, and no timer waits. */
  close(): void {
    this.#timer?.cancel();
    this.#looksAtMs = -Infinity;
    for (const { exchange } of this.#visits) exchange.end('the tunnel was closed');
  }

  #judgeOne(visit: Visit, why: string): void {
    const { judgeAgain, decide } = this.#options;
    const result = judgeAgain(visit.proof);
    if (result.kind === 'refused') {
      return visit.exchange.end(result.why === 'expired' ? this.#whyExpired(visit) : why);
    }
    if (visit.expiresMs !== result.expiresMs) {
      visit.expiresMs = result.expiresMs;
      this.#lookAt(result.expiresMs);
    }
    visit.principal = result.principal;
    const decision = visit.call && decide(visit.principal, visit.call);
    if (!visit.call || decision?.kind !== 'deny') return;
    const answers = withdrawnCall(visit.call, why, decision.reason);
    visit.onWithdrawn?.(why, answers);
    visit.exchange.end(why, answersText(visit.call, answers));
  }

  /** The proof has ended; the grant may live on with another one. */
  #whyExpired({ proof }: Visit): string {
    const { kind } = this.#options.judgeAgain({ grant: proof.grant });
    if (kind !== 'principal') return 'the grant has expired';
    // Of a token we minted, or of one that somebody else signed until then.
    return proof.sha256 === undefined ? 'the token has expired' : 'the token was replaced';
  }

  /** One timer for all: most exchanges end long before it, and need none of their own. */
  #lookAt(atMs: number): void {
    if (atMs >= this.#looksAtMs) return;
    this.#timer?.cancel();
    this.#looksAtMs = atMs;
    const leftMs = Math.max(0, atMs - this.#options.clock.now());
    this.#timer = this.#options.clock.after(Math.min(leftMs, longestWaitMs), () => this.#look());
  }

  #look(): void {
    const nowMs = this.#options.clock.now();
    this.#looksAtMs = Infinity;
    for (const visit of this.#visits) {
      if (visit.expiresMs <= nowMs) visit.exchange.end(this.#whyExpired(visit));
      else this.#lookAt(visit.expiresMs);
    }
  }
}
