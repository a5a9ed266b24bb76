// A bound on how fast one connector may claim names and ask for certificates: each may write the edge's state. A connector that comes back
// after a loss claims all of its names over all of its links at once, and is far from the bound.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { EdgeLimits } from './edgeLimits.ts';
import { FreshVisitors } from './freshVisitors.ts';

/** Connectors whose rate is remembered; the one that has not claimed for longest is forgotten. */
const maxKnownConnectors = 4096;

export type ClaimRatesOptions = {
  limits: Pick<EdgeLimits, 'claimsPerSecondPerConnector' | 'claimBurstPerConnector'>;
  clock: Clock;
  onRefused: () => void;
};

export class ClaimRates {
  readonly #options: ClaimRatesOptions;
  readonly #rates = new Map<string, FreshVisitors>();

  constructor(options: ClaimRatesOptions) {
    this.#options = options;
  }

  /** Throws `LIMIT` where the connector has asked for too much just now. */
  demand(connector: string): void {
    const { limits, clock, onRefused } = this.#options;
    const current = () => ({ perSecond: limits.claimsPerSecondPerConnector, burst: limits.claimBurstPerConnector });
    const rate = this.#rates.get(connector) ?? new FreshVisitors({ clock, rate: current });
    this.#rates.delete(connector);
    this.#rates.set(connector, rate);
    if (this.#rates.size > maxKnownConnectors) this.#rates.delete(this.#rates.keys().next().value ?? connector);
    if (rate.take()) return;
    onRefused();
    throw new TunnelError('LIMIT', 'this machine asks too much at once: it may do so again in a second', {
      retryable: true,
    });
  }
}
