// What passed through the tunnels lately, for the inspector: bounded in rows and in bytes, oldest out first. A viewer
// reads with a cursor at its own pace and is only told that there is something new, so it can never slow an exchange.
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import type { ExchangeDetail, TrafficPage } from '../mcp/exchange.ts';
import { ExchangeRecorder, type ExchangeStart } from './exchangeRecorder.ts';
import { Redactor } from './redact.ts';

/** Unfinished exchanges that are passed over when the oldest has to go: a long stream outlives short calls. */
export const maxSparedStreams = 128;

/** Rows that one read gives at most, whatever is asked for. */
export const maxPageRows = 5_000;

export type TrafficLogOptions = {
  clock: Clock;
  /** Rows held; the oldest goes when there is one more, and is counted. */
  capacity?: number;
  /** Bytes held by all rows, roughly; the same. */
  maxBytes?: number;
  /** Bytes kept of one message; the rest is counted, and the row flagged `truncated`. */
  captureBytes?: number;
  /** Texts that must not appear in what is kept. */
  secrets: () => readonly string[];
};

/** One change of a row. Stale once the row has a newer one. */
type Change = { seq: number; recorder: ExchangeRecorder };

export class TrafficLog {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #captureBytes: number;
  readonly #redactor: Redactor;
  readonly #changed = new Emitter<number>();
  /** By id, in the order in which they began. */
  readonly #rows = new Map<string, ExchangeRecorder>();
  /** Rising in `seq`; holds at most twice as many entries as there are rows, and a few, then it is compacted. */
  #changes: Change[] = [];
  #bytes = 0;
  #head = 0;
  #begun = 0;
  #dropped = 0;
  #epoch: number;
  /** Tells rows of this log from those of an earlier process. */
  readonly #prefix: string;

  constructor(options: TrafficLogOptions) {
    this.#clock = options.clock;
    this.#capacity = options.capacity ?? 5_000;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
    this.#captureBytes = options.captureBytes ?? 256 * 1024;
    this.#redactor = new Redactor(options.secrets);
    this.#epoch = options.clock.now();
    this.#prefix = this.#epoch.toString(36);
  }

  /** Called with the newest number after every change. */
  readonly onChange = this.#changed.on;

  /** The text without the secrets that are known here. */
  redact(text: string): string {
    return this.#redactor.text(text).text;
  }

  /** The newest number given to a change. */
  get head(): number {
    return this.#head;
  }

  begin(start: ExchangeStart): ExchangeRecorder {
    this.#begun += 1;
    const recorder = new ExchangeRecorder(start, {
      id: `${this.#prefix}-${this.#begun.toString(36)}`,
      clock: this.#clock,
      redactor: this.#redactor,
      captureBytes: this.#captureBytes,
      changed: (changed, grownBytes) => this.#note(changed, grownBytes),
    });
    this.#rows.set(recorder.id, recorder);
    this.#note(recorder, recorder.bytes);
    return recorder;
  }

  /** Rows that changed after `after`, in the order of their newest change, each once and as it is now. */
  read({ tunnel, after, max }: { tunnel?: string | undefined; after: number; max: number }): TrafficPage {
    const rows = [];
    const limit = Math.max(1, Math.min(max, maxPageRows));
    let next = after;
    let more = false;
    for (let at = this.#firstAfter(after); at < this.#changes.length; at += 1) {
      const { seq, recorder } = this.#changes[at]!;
      if (!this.#isNewest(seq, recorder) || (tunnel !== undefined && recorder.tunnel !== tunnel)) continue;
      if (rows.length === limit) {
        more = true;
        break;
      }
      rows.push(recorder.row());
      next = seq;
    }
    return { rows, next: more ? next : this.#head, more, dropped: this.#dropped, epoch: this.#epoch };
  }

  /** Throws `NOT_FOUND` for an exchange that was pushed out, or cleared. */
  get(id: string): ExchangeDetail {
    const recorder = this.#rows.get(id);
    if (!recorder) throw new TunnelError('NOT_FOUND', 'this exchange is no longer held');
    return recorder.detail();
  }

  /** Forgets all rows, or those of one tunnel. What goes on of them is recorded no more. */
  clear(tunnel?: string): void {
    for (const recorder of this.#rows.values()) {
      if (tunnel === undefined || recorder.tunnel === tunnel) this.#forget(recorder);
    }
    this.#epoch += 1;
    this.#head += 1;
    this.#compact();
    this.#changed.emit(this.#head);
  }

  #note(recorder: ExchangeRecorder, grownBytes: number): void {
    if (this.#rows.get(recorder.id) !== recorder) return; // Pushed out or cleared while it went on.
    this.#head += 1;
    recorder.seq = this.#head;
    this.#bytes += grownBytes;
    this.#changes.push({ seq: this.#head, recorder });
    this.#evict();
    if (this.#changes.length > 2 * this.#rows.size + 64) this.#compact();
    this.#changed.emit(this.#head);
  }

  #isNewest(seq: number, recorder: ExchangeRecorder): boolean {
    return recorder.seq === seq && this.#rows.get(recorder.id) === recorder;
  }

  #evict(): void {
    while (this.#rows.size > this.#capacity || (this.#bytes > this.#maxBytes && this.#rows.size > 1)) {
      this.#forget(this.#oldest());
      this.#dropped += 1;
    }
  }

  #oldest(): ExchangeRecorder {
    let first: ExchangeRecorder | undefined;
    let seen = 0;
    for (const recorder of this.#rows.values()) {
      first ??= recorder;
      if (recorder.finished) return recorder;
      seen += 1;
      if (seen > maxSparedStreams) break;
    }
    return first!; // Asked only when there is one.
  }

  #forget(recorder: ExchangeRecorder): void {
    this.#rows.delete(recorder.id);
    this.#bytes -= recorder.bytes;
  }

  #compact(): void {
    this.#changes = this.#changes.filter(({ seq, recorder }) => this.#isNewest(seq, recorder));
  }

  #firstAfter(after: number): number {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#changes[middle]!.seq > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
