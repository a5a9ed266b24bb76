// A bound on how fast new visitors may reach one route: each costs its connector a TLS handshake. A bucket that
// refills evenly, so that a page of parallel calls passes and a flood does not.
import type { Clock } from '../core/clock.ts';

export type FreshVisitorsOptions = {
  clock: Clock;
  /** Asked each time: settings are read anew while one bucket lives for months. */
  rate: () => { perSecond: number; burst: number };
};

export class FreshVisitors {
  readonly #options: FreshVisitorsOptions;
  #tokens: number;
  #filledMs: number;

  constructor(options: FreshVisitorsOptions) {
    this.#options = options;
    this.#tokens = options.rate().burst;
    this.#filledMs = options.clock.now();
  }

  /** Whether one more may come now. */
  take(): boolean {
    const { clock, rate } = this.#options;
    const { perSecond, burst } = rate();
    const now = clock.now();
    const passedMs = Math.max(0, now - this.#filledMs); // A clock that was set back refills nothing.
    this.#tokens = Math.min(burst, this.#tokens + (passedMs * perSecond) / 1000);
    this.#filledMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
