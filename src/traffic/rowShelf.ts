// Rows of one kind, held within bounds of their own: what belongs on another shelf can never push them out.
import type { ExchangeRecorder } from './exchangeRecorder.ts';
import { Gaps } from './gaps.ts';

/** Unfinished exchanges that are passed over when the oldest has to go: a long stream outlives short calls. */
export const maxSparedStreams = 128;

/** Looking for the oldest walks over what was deleted before it; after so much, what is left is put into a new set. */
const manyDeleted = 1_000;

export type ShelfBounds = {
  /** Rows held; the oldest goes when there is one more, and is counted. */
  capacity: number;
  /** Bytes held by all rows, roughly; the same. */
  maxBytes: number;
};

export class RowShelf {
  readonly #bounds: ShelfBounds;
  /** In the order in which they came here. */
  #rows = new Set<ExchangeRecorder>();
  #deleted = 0;
  #bytes = 0;
  #dropped = 0;
  /** Where rows were pushed out. */
  readonly gaps = new Gaps();

  constructor(bounds: ShelfBounds) {
    this.#bounds = bounds;
  }

  get dropped(): number {
    return this.#dropped;
  }

  add(recorder: ExchangeRecorder): void {
    this.#rows.add(recorder);
    this.#bytes += recorder.bytes;
  }

  delete(recorder: ExchangeRecorder): void {
    if (!this.#rows.delete(recorder)) return;
    this.#bytes -= recorder.bytes;
    this.#deleted += 1;
    if (this.#deleted < manyDeleted) return;
    this.#rows = new Set(this.#rows);
    this.#deleted = 0;
  }

  grown(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Takes out, one by one, what is too much. */
  evict(forget: (recorder: ExchangeRecorder) => void): void {
    const { capacity, maxBytes } = this.#bounds;
    while (this.#rows.size > capacity || (this.#bytes > maxBytes && this.#rows.size > 1)) {
      const { oldest, before, after } = this.#oldest();
      this.delete(oldest);
      this.gaps.add(oldest.ordinal, before, after);
      forget(oldest);
      this.#dropped += 1;
    }
  }

  /** Asked only when there is one. `before` and `after`: numbers of those that stay, nearest to it. */
  #oldest(): { oldest: ExchangeRecorder; before: number; after: number } {
    const spared: ExchangeRecorder[] = [];
    let oldest: ExchangeRecorder | undefined;
    let next: ExchangeRecorder | undefined;
    for (const recorder of this.#rows) {
      if (oldest) {
        next = recorder;
        break;
      }
      if (recorder.finished) oldest = recorder;
      else if (spared.length > maxSparedStreams) break;
      else spared.push(recorder);
    }
    oldest ??= spared.shift()!;
    let before = 0;
    let after = Infinity;
    for (const { ordinal } of next ? [...spared, next] : spared) {
      if (ordinal < oldest.ordinal) before = Math.max(before, ordinal);
      else after = Math.min(after, ordinal);
    }
    return { oldest, before, after };
  }
}
