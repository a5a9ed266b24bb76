// The memory that visitors who do not read make the edge hold. HTTP/2 gives each stream a window of its own and no
// bound on their sum, so the sum is looked at while anybody is behind, and at the limit whoever holds most is cut off.
import type { Clock, TimerHandle } from '../core/clock.ts';

/** How often the sum is looked at; a link can bring more than the limit for so long. */
export const heldCheckMs = 50;

export type Slow = {
  /** Its link. */
  group: object;
  /** Bytes that wait for it now. */
  held(): number;
  cut(): void;
};

export type HeldBytesOptions = { clock: Clock; maxPerGroup: number; max: number; onCut: () => void };

export class HeldBytes {
  readonly #options: HeldBytesOptions;
  readonly #slow = new Set<Slow>();
  #timer: TimerHandle | undefined;

  constructor(options: HeldBytesOptions) {
    this.#options = options;
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
    const { clock, maxPerGroup, max, onCut } = this.#options;
    this.#timer = clock.after(heldCheckMs, () => this.#check());
    const groups = new Map<object, number>();
    let total = 0;
    const largestFirst = Array.from(this.#slow, (slow) => ({ slow, bytes: slow.held() })).sort(
      (a, b) => b.bytes - a.bytes,
    );
    for (const { slow, bytes } of largestFirst) {
      groups.set(slow.group, (groups.get(slow.group) ?? 0) + bytes);
      total += bytes;
    }
    for (const { slow, bytes } of largestFirst) {
      const ofGroup = groups.get(slow.group) ?? 0;
      if (ofGroup <= maxPerGroup && total <= max) continue;
      groups.set(slow.group, ofGroup - bytes);
      total -= bytes;
      this.delete(slow);
      onCut();
      slow.cut();
    }
  }
}
