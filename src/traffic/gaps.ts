// Where calls were pushed out of the log: a line in the list says how many are missing there, so that no call is
// unaccounted for. Only exchanges that outlive those after them part one gap from the next.

/** Gaps kept apart; of more, the oldest two become one. */
export const maxGaps = 200;

/** `count` calls, whose numbers were `from` to `to`. */
export type Gap = { from: number; to: number; count: number };

export class Gaps {
  readonly #gaps: Gap[] = [];

  /** Rising. */
  get all(): readonly Readonly<Gap>[] {
    return this.#gaps;
  }

  get count(): number {
    return this.#gaps.reduce((sum, { count }) => sum + count, 0);
  }

  /** A call is gone; `before` and `after` are the numbers of those nearest to it that are still held. */
  add(ordinal: number, before: number, after: number): void {
    const gaps = this.#gaps;
    let at = gaps.length;
    while (at > 0 && gaps[at - 1]!.from > ordinal) at -= 1;
    const left = gaps[at - 1];
    const right = gaps[at];
    const gap = { from: ordinal, to: ordinal, count: 1 };
    if (left && (left.to >= ordinal || left.to > before)) this.#join(left, gap);
    else gaps.splice(at, 0, gap);
    const joined = left && left.to >= ordinal ? left : gap;
    if (right && right.from < after) {
      this.#join(joined, right);
      gaps.splice(gaps.indexOf(right), 1);
    }
    if (gaps.length <= maxGaps) return;
    this.#join(gaps[0]!, gaps[1]!);
    gaps.splice(1, 1);
  }

  clear(): void {
    this.#gaps.length = 0;
  }

  #join(into: Gap, other: Gap): void {
    into.from = Math.min(into.from, other.from);
    into.to = Math.max(into.to, other.to);
    into.count += other.count;
  }
}
