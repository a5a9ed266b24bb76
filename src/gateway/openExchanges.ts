// What is under way, and for whom: an exchange ends with the grant that let it in, by revocation or by the clock.
import type { Clock } from '../core/clock.ts';
import type { Principal } from '../identity/grants.ts';
import type { Exchange } from './exchange.ts';

/** What `setTimeout` holds: 24.8 days. */
const longestTimerMs = 2 ** 31 - 1;

export class OpenExchanges {
  readonly #clock: Clock;
  readonly #principals = new Map<Exchange, Principal>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `expiresMs`: when its principal's proof ends (milliseconds since the epoch). */
  add(exchange: Exchange, principal: Principal, expiresMs: number): void {
    this.#principals.set(exchange, principal);
    this.#endAt(exchange, expiresMs);
  }

  delete(exchange: Exchange): void {
    this.#principals.delete(exchange);
  }

  /** A grant was revoked: what it has open ends now. */
  endGrant(grant: string): void {
    for (const [exchange, principal] of this.#principals)
      if (principal.grant === grant) exchange.end('the grant was revoked');
  }

  /** A stream may outlive the grant that opened it; it must not. */
  #endAt(exchange: Exchange, expiresMs: number): void {
    const leftMs = expiresMs - this.#clock.now();
    if (leftMs <= 0) return exchange.end('the grant has expired');
    const timer = this.#clock.after(Math.min(leftMs, longestTimerMs), () => this.#endAt(exchange, expiresMs));
    exchange.signal.addEventListener('abort', () => timer.cancel(), { once: true });
  }
}
