// Slows down guessing: failing answers per address are limited. It is asked only after a credential has failed, so a
// valid one is never throttled, and nobody can lock out an agent that shares an address with him.
import type { Clock } from '../core/clock.ts';

/** Sums of fractions fall a hair short of a whole. */
const ROUNDING = 1e-6;

/** Addresses remembered; the one that failed longest ago is forgotten. */
export const maxAddresses = 10_000;

export type ThrottleVerdict = { kind: 'answer' } | { kind: 'limited'; retryAfterMs: number };

export type ThrottleOptions = {
  clock: Clock;
  /** Failures in a row that get an ordinary answer, and how many more each minute allows. */
  perMinute?: number;
};

export class Throttle {
  readonly #clock: Clock;
  readonly #perMinute: number;
  /** In the order of their last failure. */
  readonly #buckets = new Map<string, { left: number; atMs: number }>();

  constructor({ clock, perMinute = 20 }: ThrottleOptions) {
    this.#clock = clock;
    this.#perMinute = perMinute;
  }

  /** Notes a failed attempt from `visitor` (an address, with or without a port) and says how to answer it. */
  failed(visitor: string): ThrottleVerdict {
    const key = networkOf(visitor);
    const nowMs = this.#clock.now();
    const bucket = this.#buckets.get(key) ?? { left: this.#perMinute, atMs: nowMs };
    const perMs = this.#perMinute / 60_000;
    // A clock that was set back refills nothing.
    const left = Math.min(this.#perMinute, bucket.left + Math.max(0, nowMs - bucket.atMs) * perMs);
    const limited = left < 1 - ROUNDING;
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: limited ? left : left - 1, atMs: nowMs });
    if (this.#buckets.size > maxAddresses) this.#buckets.delete(this.#buckets.keys().next().value!);
    return limited ? { kind: 'limited', retryAfterMs: Math.ceil((1 - left) / perMs) } : { kind: 'answer' };
  }
}

/** An IPv4 address; of an IPv6 address its /64, which is what one subscriber has; other text as it is. */
function networkOf(visitor: string): string {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(visitor)?.[1] ?? /^([^:]+):\d+$/.exec(visitor)?.[1] ?? visitor;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  if (!bare.includes(':')) return bare.slice(0, 64);
  const [head = '', tail] = bare.toLowerCase().replace(/%.*$/, '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined
      ? left
      : [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').slice(0, 4))
    .join(':');
}
