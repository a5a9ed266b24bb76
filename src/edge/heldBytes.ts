// The memory that who does not read makes the edge hold: visitors who are behind, and connectors, or their lines. A link gives each stream a window of its own and no
// bound on their sum, so the sum is looked at while anybody is behind. At the limit of one connector its largest waiter
// is cut off; at the limit of all, that of the connector for which most waits, so that nobody pays for another's visitors.
import type { Clock, TimerHandle } from '../core/clock.ts';
import type { EdgeLimits } from './edgeLimits.ts';

/** How often the sum is looked at; a link can bring more than the limit for so long. */
export const heldCheckMs = 50;

export type Slow = {
  /** The connector whose visitor it is. */
  tenant: string;
  /** Bytes that wait now, for it and from it. */
  held(): number;
  cut(): void;
};

export type HeldBytesOptions = {
  limits: Pick<EdgeLimits, 'maxHeldBytesPerConnector' | 'maxHeldBytes'>;
  clock: Clock;
  onCut: () => void;
};

type Waiting = { slow: Slow; bytes: number };

export class HeldBytes {
  readonly #options: HeldBytesOptions;
  readonly #slow = new Set<Slow>();
  #timer: TimerHandle | undefined;

  constructor(options: HeldBytesOptions) {
    this.#options = options;
  }

  /** Held for all of them now. */
  get bytes(): number {
    return this.#byTenant().reduce((sum, tenant) => sum + tenant.bytes, 0);
  }

  add(slow: Slow): void {
    this.#slow.add(slow);
    this.#timer ??= this.#options.clock.after(heldCheckMs, () => this.#check());
  }

  delete(slow: Slow): void {
    this.#slow.delete(slow);
    if (this.#slow.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #check(): void {
    const { clock, limits, onCut } = this.#options;
    const { maxHeldBytesPerConnector: maxPerTenant, maxHeldBytes: max } = limits;
    this.#timer = clock.after(heldCheckMs, () => this.#check());
    const tenants = this.#byTenant();
    let total = tenants.reduce((sum, tenant) => sum + tenant.bytes, 0);
    for (;;) {
      const most = tenants.reduce((one, other) => (other.bytes > one.bytes ? other : one));
      // The one with most is over its own limit if anybody is.
      if (most.bytes <= maxPerTenant && total <= max) return;
      const largest = most.largestLast.pop();
      if (!largest) return;
      most.bytes -= largest.bytes;
      total -= largest.bytes;
      this.delete(largest.slow);
      onCut();
      largest.slow.cut();
    }
  }

  #byTenant(): { bytes: number; largestLast: Waiting[] }[] {
    const tenants = new Map<string, { bytes: number; largestLast: Waiting[] }>();
    const smallestFirst = Array.from(this.#slow, (slow) => ({ slow, bytes: slow.held() })).sort(
      (a, b) => a.bytes - b.bytes,
    );
    for (const waiting of smallestFirst) {
      const tenant = tenants.get(waiting.slow.tenant) ?? { bytes: 0, largestLast: [] };
      tenant.bytes += waiting.bytes;
      tenant.largestLast.push(waiting);
      tenants.set(waiting.slow.tenant, tenant);
    }
    return [...tenants.values()];
  }
}
