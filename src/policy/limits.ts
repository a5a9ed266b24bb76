// How often and how much at a time one principal may call: a token bucket that holds a minute's worth, and a count of
// what runs. Refusals cost nothing, so an agent that waits as told gets through.
import type { Clock } from '../core/clock.ts';
import type { Limits } from './mergedPolicy.ts';

/** Principals remembered; one with nothing running that called longest ago is forgotten (and starts afresh). */
export const maxPrincipals = 10_000;

export type Slot =
  /** `release` once the exchange has ended; a second time does nothing. */
  | { kind: 'granted'; release: () => void }
  | { kind: 'limited'; limit: 'requestsPerMinute' | 'maxConcurrent'; retryAfterMs: number };

/** What to tell an agent that has too much running: nobody knows when one of its calls will end. */
const RETRY_CONCURRENT_MS = 1_000;

/** Sums of fractions fall a hair short of a whole. */
const ROUNDING = 1e-6;

type Bucket = { left: number; atMs: number; running: number };

export class RateLimiter {
  readonly #clock: Clock;
  /** In the order of their last call. */
  readonly #buckets = new Map<string, Bucket>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  acquire(principal: string, limits: Pick<Limits, 'requestsPerMinute' | 'maxConcurrent'>): Slot {
    const { requestsPerMinute, maxConcurrent } = limits;
    const bucket = this.#refilled(principal, requestsPerMinute);
    if (bucket.running >= maxConcurrent) {
      return { kind: 'limited', limit: 'maxConcurrent', retryAfterMs: RETRY_CONCURRENT_MS };
    }
    if (bucket.left < 1 - ROUNDING) {
      const retryAfterMs = Math.ceil(((1 - bucket.left) * 60_000) / requestsPerMinute);
      return { kind: 'limited', limit: 'requestsPerMinute', retryAfterMs };
    }
    bucket.left -= 1;
    bucket.running += 1;
    let running = true;
    const release = (): void => {
      if (running) bucket.running -= 1;
      running = false;
    };
    return { kind: 'granted', release };
  }

  #refilled(principal: string, perMinute: number): Bucket {
    const nowMs = this.#clock.now();
    const bucket = this.#buckets.get(principal) ?? { left: perMinute, atMs: nowMs, running: 0 };
    // A clock that was set back refills nothing; a limit that was lowered holds at once.
    const gained = (Math.max(0, nowMs - bucket.atMs) * perMinute) / 60_000;
    bucket.left = Math.min(perMinute, bucket.left + gained);
    bucket.atMs = nowMs;
    this.#buckets.delete(principal);
    this.#buckets.set(principal, bucket);
    if (this.#buckets.size > maxPrincipals) this.#forgetOne();
    return bucket;
  }

  #forgetOne(): void {
    for (const [principal, { running }] of this.#buckets) {
      if (running > 0) continue;
      this.#buckets.delete(principal);
      return;
    }
  }
}
