// How often, how much at a time and how many bytes one principal may have: token buckets that hold a minute's worth, and
// a count of what runs. Refusals cost nothing, so an agent that waits as told gets through. What was granted and turns
// out to be larger (a batch, a long answer) is not cut off: the bucket goes below nothing, and the next call waits longer.
import type { Clock } from '../core/clock.ts';
import type { Limits } from './mergedPolicy.ts';

/** Principals remembered; one with nothing running that called longest ago is forgotten (and starts afresh). */
export const maxPrincipals = 10_000;

export type CallLimits = Pick<Limits, 'requestsPerMinute' | 'maxConcurrent' | 'bytesPerMinute'>;

export type Slot =
  /** `release` once the exchange has ended; a second time does nothing. */
  { kind: 'granted'; release: () => void } | { kind: 'limited'; limit: keyof CallLimits; retryAfterMs: number };

/** What to tell an agent that has too much running: nobody knows when one of its calls will end. */
const RETRY_CONCURRENT_MS = 1_000;

/** Sums of fractions fall a hair short of a whole. */
const ROUNDING = 1e-6;

type Bucket = { requests: number; bytes: number; atMs: number; running: number };

export class RateLimiter {
  readonly #clock: Clock;
  /** In the order of their last call. */
  readonly #buckets = new Map<string, Bucket>();
  /** Who stands last there, and need not be moved. */
  #newest: string | undefined;

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  acquire(principal: string, limits: CallLimits): Slot {
    const { requestsPerMinute, maxConcurrent, bytesPerMinute } = limits;
    const bucket = this.#refilled(principal, limits);
    if (bucket.running >= maxConcurrent) {
      return { kind: 'limited', limit: 'maxConcurrent', retryAfterMs: RETRY_CONCURRENT_MS };
    }
    const requests = untilOneMs(bucket.requests, requestsPerMinute);
    if (requests > 0) return { kind: 'limited', limit: 'requestsPerMinute', retryAfterMs: requests };
    const bytes = untilOneMs(bucket.bytes, bytesPerMinute);
    if (bytes > 0) return { kind: 'limited', limit: 'bytesPerMinute', retryAfterMs: bytes };
    bucket.requests -= 1;
    bucket.running += 1;
    let running = true;
    const release = (): void => {
      if (running) bucket.running -= 1;
      running = false;
    };
    return { kind: 'granted', release };
  }

  /** What a granted call held beside its first message. */
  charge(principal: string, requests: number): void {
    const bucket = this.#buckets.get(principal);
    if (bucket) bucket.requests -= requests;
  }

  /** Bytes that have passed for a principal, either way. */
  spent(principal: string, bytes: number): void {
    const bucket = this.#buckets.get(principal);
    if (bucket) bucket.bytes -= bytes;
  }

  #refilled(principal: string, { requestsPerMinute, bytesPerMinute }: CallLimits): Bucket {
    const nowMs = this.#clock.now();
    const full = { requests: requestsPerMinute, bytes: bytesPerMinute, atMs: nowMs, running: 0 };
    const bucket = this.#buckets.get(principal) ?? full;
    // A clock that was set back refills nothing; a limit that was lowered holds at once.
    const minutes = Math.max(0, nowMs - bucket.atMs) / 60_000;
    bucket.requests = Math.min(requestsPerMinute, bucket.requests + minutes * requestsPerMinute);
    bucket.bytes = Math.min(bytesPerMinute, bucket.bytes + minutes * bytesPerMinute);
    bucket.atMs = nowMs;
    if (principal !== this.#newest) {
      this.#buckets.delete(principal);
      this.#buckets.set(principal, bucket);
      this.#newest = principal;
    }
    if (this.#buckets.size > maxPrincipals) this.#forgetOne();
    return bucket;
  }

  #forgetOne(): void {
    for (const [principal, { running }] of this.#buckets) {
      if (running > 0) continue;
      this.#buckets.delete(principal);
      if (principal === this.#newest) this.#newest = undefined;
      return;
    }
  }
}

/** How long until a bucket holds one again; 0 when it does. */
function untilOneMs(left: number, perMinute: number): number {
  return left < 1 - ROUNDING ? Math.ceil(((1 - left) * 60_000) / perMinute) : 0;
}
