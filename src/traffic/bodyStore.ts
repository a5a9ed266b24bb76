// Moves what was said in exchanges that ended a while ago out of memory. Nothing is written as long as little happens;
// and nothing an exchange does waits for it.
import type { ExchangeRecorder } from './exchangeRecorder.ts';
import type { Segments } from './segments.ts';

/** Exchanges that ended and stay in memory whole, and the bytes they may take together. */
export const warmBounds = { rows: 2_000, bytes: 16 * 1024 * 1024 };

/** Exchanges written at once, and about how many bytes. */
const batch = { rows: 64, bytes: 256 * 1024 };

export type BodyStoreOptions = {
  segments: Segments;
  warm?: { rows: number; bytes: number };
  /** A recorder holds so many bytes more than before. */
  grown: (recorder: ExchangeRecorder, bytes: number) => void;
};

export class BodyStore {
  readonly #options: BodyStoreOptions;
  readonly #warm: { rows: number; bytes: number };
  #queue: { recorder: ExchangeRecorder; bytes: number }[] = [];
  #head = 0;
  #bytes = 0;
  #lost = 0;
  #moving = false;

  constructor(options: BodyStoreOptions) {
    this.#options = options;
    this.#warm = options.warm ?? warmBounds;
  }

  /** Exchanges of which what was said could not be kept. */
  get lost(): number {
    return this.#lost;
  }

  /** It ended. */
  add(recorder: ExchangeRecorder): void {
    const { bytes } = recorder;
    this.#queue.push({ recorder, bytes });
    this.#bytes += bytes;
    if (this.#isTooMuch() && !this.#moving) void this.#move();
  }

  forget(recorder: ExchangeRecorder): void {
    if (recorder.place) this.#options.segments.release(recorder.place);
  }

  #isTooMuch(): boolean {
    const rows = this.#queue.length - this.#head;
    return rows > this.#warm.rows || (this.#bytes > this.#warm.bytes && rows > 0);
  }

  async #move(): Promise<void> {
    this.#moving = true;
    await nextTurn();
    while (this.#isTooMuch()) {
      const taken = this.#take();
      const records = taken.map((recorder) => Buffer.from(JSON.stringify(recorder.content())));
      const touches = taken.map((recorder) => recorder.touches);
      const places = await this.#options.segments.append(records).catch(() => undefined);
      for (const [at, recorder] of taken.entries()) {
        const place = places?.[at];
        const isSame = recorder.held && recorder.touches === touches[at];
        if (place && !isSame) this.#options.segments.release(place);
        if (!recorder.held) continue;
        if (place && !isSame) this.add(recorder); // It went on meanwhile.
        else {
          if (!place) this.#lost += 1;
          this.#options.grown(recorder, -recorder.moveOut(place));
        }
      }
      await nextTurn();
    }
    this.#moving = false;
  }

  #take(): ExchangeRecorder[] {
    const taken: ExchangeRecorder[] = [];
    let bytes = 0;
    while (this.#head < this.#queue.length && taken.length < batch.rows && bytes < batch.bytes) {
      const { recorder, bytes: counted } = this.#queue[this.#head]!;
      this.#head += 1;
      this.#bytes -= counted;
      if (!recorder.held) continue;
      bytes += counted;
      taken.push(recorder);
    }
    if (this.#head > this.#queue.length / 2) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return taken;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
