// What one address may take of an edge: connections at a time, and new ones a second. An address that has not been seen
// for longest is forgotten first, with its rate; its connections count for as long as they are open.
import type { Clock } from '../core/clock.ts';
import { addressKey } from './addressKey.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import { FreshVisitors } from './freshVisitors.ts';

/** Addresses whose rate is remembered, about 200 bytes each. */
export const maxKnownAddresses = 32_768;

export type AddressCapsOptions = {
  limits: Pick<EdgeLimits, 'maxConnectionsPerAddress' | 'handshakesPerSecondPerAddress' | 'handshakeBurstPerAddress'>;
  clock: Clock;
};

export class AddressCaps {
  readonly #options: AddressCapsOptions;
  readonly #open = new Map<string, number>();
  readonly #rates = new Map<string, FreshVisitors>();

  constructor(options: AddressCapsOptions) {
    this.#options = options;
  }

  /** Counts one more connection, until `leave`; or says which limit is in the way. */
  enter(address: string): 'entered' | 'too-many' | 'too-fast' {
    const key = addressKey(address);
    const open = this.#open.get(key) ?? 0;
    if (open >= this.#options.limits.maxConnectionsPerAddress) return 'too-many';
    if (!this.#rate(key).take()) return 'too-fast';
    this.#open.set(key, open + 1);
    return 'entered';
  }

  leave(address: string): void {
    const key = addressKey(address);
    const left = (this.#open.get(key) ?? 1) - 1;
    if (left === 0) this.#open.delete(key);
    else this.#open.set(key, left);
  }

  #rate(key: string): FreshVisitors {
    const { limits, clock } = this.#options;
    const rate =
      this.#rates.get(key) ??
      new FreshVisitors({
        clock,
        rate: () => ({ perSecond: limits.handshakesPerSecondPerAddress, burst: limits.handshakeBurstPerAddress }),
      });
    this.#rates.delete(key);
    this.#rates.set(key, rate);
    if (this.#rates.size > maxKnownAddresses) this.#rates.delete(this.#rates.keys().next().value ?? key);
    return rate;
  }
}
