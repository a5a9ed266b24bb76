// What passed through the tunnels lately, for the inspector: bounded in rows and in bytes, oldest out first. A viewer
// reads with a cursor at its own pace and is only told that there is something new, so it can never slow an exchange.
// Strangers and the server's own words have bounds of their own: neither can push out the calls of agents.
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { TunnelError } from '../core/errors.ts';
import type { ExchangeDetail, RowClass, TrafficPage } from '../mcp/exchange.ts';
import { BodyStore } from './bodyStore.ts';
import { contentTexts, type ExchangeContent } from './exchangeContent.ts';
import { ExchangeRecorder, type ExchangeStart, type RecorderOptions } from './exchangeRecorder.ts';
import { Redactor } from './redact.ts';
import type { Gap } from './gaps.ts';
import { RowShelf, type ShelfBounds } from './rowShelf.ts';
import type { SegmentPlace, Segments } from './segments.ts';

/** Rows that one read gives at most, whatever is asked for. */
export const maxPageRows = 5_000;

/** What is held of those who were refused before anybody knew who they are. */
export const strangerBounds: ShelfBounds = { capacity: 1_000, maxBytes: 4 * 1024 * 1024 };

/** What is held of what servers said beside their answers. */
export const eventBounds: ShelfBounds = { capacity: 2_000, maxBytes: 4 * 1024 * 1024 };

export type TrafficLogOptions = {
  clock: Clock;
  /** Calls held; the oldest goes when there is one more, and is counted. */
  capacity?: number;
  /** Bytes held by all calls, roughly; the same. */
  maxBytes?: number;
  /** Bytes kept of one message; the rest is counted, and the row flagged `truncated`. */
  captureBytes?: number;
  /** Where what was said goes when it is not among the newest; without, all of it stays in memory. */
  segments?: Segments;
  /** Exchanges that ended and stay in memory whole. */
  warm?: { rows: number; bytes: number };
  /** Texts that must not appear in what is kept. */
  secrets: () => readonly string[];
};

type Counts = Record<RowClass, number>;
const none: Readonly<Counts> = { call: 0, stranger: 0, event: 0 };

export class TrafficLog {
  readonly #recording: RecorderOptions;
  readonly #redactor: Redactor;
  readonly #changed = new Emitter<void>();
  readonly #forgotten = new Emitter<ExchangeRecorder>();
  readonly #shelves: Readonly<Record<RowClass, RowShelf>>;
  /** Every row held, in the order they began. */
  readonly #rows = new Map<string, ExchangeRecorder>();
  /**
   * One entry for each change, stale once its row has a newer one: its number, rising, and its row. At most twice as many
   * as there are rows, and a few, then they are compacted.
   */
  #seqs: number[] = [];
  #changes: ExchangeRecorder[] = [];
  #head = 0;
  /** The newest number that anybody may read from. */
  #given = 0;
  #begun = 0;
  #epoch: number;
  readonly #segments: Segments | undefined;
  readonly #bodies: BodyStore | undefined;
  #counts: Counts = { ...none };
  readonly #tunnelCounts = new Map<string, Counts>();
  /** Tells rows of this log from those of an earlier process. */
  readonly #prefix: string;

  constructor(options: TrafficLogOptions) {
    const { capacity = 5_000, maxBytes = 64 * 1024 * 1024 } = options;
    this.#redactor = new Redactor(options.secrets);
    this.#recording = {
      clock: options.clock,
      redactor: this.#redactor,
      captureBytes: options.captureBytes ?? 256 * 1024,
      changed: (recorder, grownBytes) => this.#note(recorder, grownBytes),
    };
    this.#shelves = {
      call: new RowShelf({ capacity, maxBytes }),
      stranger: new RowShelf(strangerBounds),
      event: new RowShelf(eventBounds),
    };
    const { segments, warm } = options;
    this.#segments = segments;
    this.#bodies =
      segments &&
      new BodyStore({
        segments,
        ...(warm && { warm }),
        grown: ({ countedAs }, bytes) => this.#shelves[countedAs].grown(bytes),
      });
    this.#epoch = options.clock.now();
    this.#prefix = this.#epoch.toString(36);
  }

  /** Called after every change. */
  readonly onChange = this.#changed.on;

  /** Called for each row that is pushed out. */
  readonly onForgotten = this.#forgotten.on;

  /** Rises when rows were cleared. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Where calls were pushed out, rising. */
  get gaps(): readonly Readonly<Gap>[] {
    return this.#shelves.call.gaps.all;
  }

  /** Every row held, in the order they began; what comes or goes meanwhile is seen or not. */
  *rows(): Generator<ExchangeRecorder> {
    yield* this.#rows.values();
  }

  find(id: string): ExchangeRecorder | undefined {
    return this.#rows.get(id);
  }

  /** How many rows are held. */
  get size(): number {
    return this.#rows.size;
  }

  /** How many rows of a class are held, of one tunnel or of all. */
  held(kind: RowClass, tunnel?: string): number {
    return (tunnel === undefined ? this.#counts : (this.#tunnelCounts.get(tunnel) ?? none))[kind];
  }

  /** The first row whose newest change came after `after`. */
  nextChange(after: number): ExchangeRecorder | undefined {
    this.#given = this.#head;
    for (let at = this.#firstAfter(after); at < this.#changes.length; at += 1) {
      const [seq, recorder] = [this.#seqs[at]!, this.#changes[at]!];
      if (this.#isNewest(seq, recorder)) return recorder;
    }
    return undefined;
  }

  /** Rows that changed last, newest first. */
  *newest(): Generator<ExchangeRecorder> {
    for (let at = this.#changes.length - 1; at >= 0; at -= 1) {
      const [seq, recorder] = [this.#seqs[at]!, this.#changes[at]!];
      if (this.#isNewest(seq, recorder)) yield recorder;
    }
  }

  /** The text without the secrets that are known here. */
  redact(text: string): string {
    return this.#redactor.text(text).text;
  }

  /** The newest number given to a change. */
  get head(): number {
    this.#given = this.#head; // Whoever asks may read from there.
    return this.#head;
  }

  begin(start: ExchangeStart): ExchangeRecorder {
    this.#begun += 1;
    const id = `${this.#prefix}-${this.#begun.toString(36)}`;
    const recorder = new ExchangeRecorder(start, { id, ordinal: this.#begun }, this.#recording);
    this.#shelves[recorder.countedAs].add(recorder);
    this.#count(recorder, 1);
    this.#rows.set(id, recorder);
    this.#note(recorder, 0);
    return recorder;
  }

  /** Rows that changed after `after`, in the order of their newest change, each once and as it is now. */
  read({ tunnel, after, max }: { tunnel?: string | undefined; after: number; max: number }): TrafficPage {
    const rows = [];
    const limit = Math.max(1, Math.min(max, maxPageRows));
    let next = after;
    let more = false;
    this.#given = this.#head;
    for (let at = this.#firstAfter(after); at < this.#changes.length; at += 1) {
      const [seq, recorder] = [this.#seqs[at]!, this.#changes[at]!];
      if (!this.#isNewest(seq, recorder) || (tunnel !== undefined && recorder.tunnel !== tunnel)) continue;
      if (rows.length === limit) {
        more = true;
        break;
      }
      rows.push(recorder.row());
      next = seq;
    }
    return {
      rows,
      next: more ? next : this.#head,
      more,
      dropped: this.#shelves.call.dropped,
      epoch: this.#epoch,
    };
  }

  /** The whole, wherever what was said is by now. Rejects with `NOT_FOUND` for what was pushed out, or cleared. */
  async detail(id: string): Promise<ExchangeDetail> {
    const here = this.get(id);
    const recorder = this.find(id);
    if (!recorder?.place) return here;
    const content = await this.#content(recorder.place);
    if (content) return { row: recorder.row(), ...content };
    return { ...here, row: { ...here.row, flags: [...new Set([...here.row.flags, 'truncated' as const])] } };
  }

  /** Everything that was captured of an exchange. */
  texts(recorder: ExchangeRecorder): string[] | Promise<string[]> {
    if (!recorder.place) return recorder.texts();
    return this.#content(recorder.place).then((content) => (content ? contentTexts(content) : []));
  }

  /** Exchanges of which what was said could not be kept, as on a full disk; they are flagged `truncated`. */
  get lost(): number {
    return this.#bodies?.lost ?? 0;
  }

  async #content(place: SegmentPlace): Promise<ExchangeContent | undefined> {
    const bytes = await this.#segments?.read(place);
    return bytes && (JSON.parse(bytes.toString()) as ExchangeContent); // Written by this log, in a file of its own.
  }

  /** What is in memory. Throws `NOT_FOUND` for an exchange that was pushed out, or cleared. */
  get(id: string): ExchangeDetail {
    const held = this.#rows.get(id);
    if (!held) throw new TunnelError('NOT_FOUND', 'this exchange is no longer held');
    return held.detail();
  }

  /** Forgets all rows, or those of one tunnel. What goes on of them is recorded no more. */
  clear(tunnel?: string): void {
    for (const recorder of this.#rows.values()) {
      if (tunnel !== undefined && recorder.tunnel !== tunnel) continue;
      this.#shelves[recorder.countedAs].delete(recorder);
      this.#remove(recorder);
    }
    if (tunnel === undefined) for (const shelf of Object.values(this.#shelves)) shelf.gaps.clear();
    this.#epoch += 1;
    this.#head += 1;
    this.#compact();
    this.#changed.emit();
  }

  #note(recorder: ExchangeRecorder, grownBytes: number): void {
    if (!recorder.held) return; // Pushed out or cleared while it went on.
    const { countedAs, class: now } = recorder;
    const shelf = this.#shelves[now];
    if (recorder.finished && !recorder.endKnown) {
      recorder.endKnown = true;
      this.#bodies?.add(recorder);
    }
    // Nobody has read since the last change, which was this row's, too: nothing is new.
    if (grownBytes === 0 && now === countedAs && this.#isUnread(recorder)) return this.#changed.emit();
    this.#shelves[countedAs].grown(grownBytes);
    if (now !== countedAs) {
      this.#shelves[countedAs].delete(recorder);
      shelf.add(recorder);
      this.#count(recorder, -1);
      recorder.countedAs = now;
      this.#count(recorder, 1);
    }
    this.#number(recorder);
    shelf.evict((oldest) => {
      this.#remove(oldest);
      this.#forgotten.emit(oldest);
    });
    if (this.#changes.length > 2 * this.#rows.size + 64) this.#compact();
    this.#changed.emit();
  }

  /** A change that follows another one of the same row, before anybody has read that, is the same change. */
  #number(recorder: ExchangeRecorder): void {
    if (this.#isUnread(recorder)) return;
    this.#head += 1;
    recorder.seq = this.#head;
    this.#seqs.push(this.#head);
    this.#changes.push(recorder);
  }

  #remove(recorder: ExchangeRecorder): void {
    this.#rows.delete(recorder.id);
    this.#count(recorder, -1);
    recorder.held = false;
    this.#bodies?.forget(recorder);
  }

  #count({ tunnel, countedAs }: ExchangeRecorder, change: 1 | -1): void {
    this.#counts[countedAs] += change;
    let counts = this.#tunnelCounts.get(tunnel);
    if (!counts) this.#tunnelCounts.set(tunnel, (counts = { ...none }));
    counts[countedAs] += change;
    if (counts.call + counts.stranger + counts.event === 0) this.#tunnelCounts.delete(tunnel);
  }

  #isUnread({ seq }: ExchangeRecorder): boolean {
    return seq === this.#head && seq > this.#given;
  }

  #isNewest(seq: number, recorder: ExchangeRecorder): boolean {
    return recorder.seq === seq && recorder.held;
  }

  #compact(): void {
    let kept = 0;
    for (const [at, recorder] of this.#changes.entries()) {
      const seq = this.#seqs[at]!;
      if (!this.#isNewest(seq, recorder)) continue;
      this.#seqs[kept] = seq;
      this.#changes[kept] = recorder;
      kept += 1;
    }
    this.#seqs.length = kept;
    this.#changes.length = kept;
  }

  #firstAfter(after: number): number {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#seqs[middle]! > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
