// The rows that match one viewer's filter, in the order they began. It follows the log with a cursor and looks at what
// is new in slices when it is asked for a window, so that it costs an exchange nothing, and nobody watching costs nothing.
import type { TrafficLine, TrafficWindow } from '../mcp/exchange.ts';
import type { RowFilter } from '../mcp/filter/matchFilter.ts';
import type { ExchangeRecorder } from './exchangeRecorder.ts';
import { RowIndex } from './rowIndex.ts';
import type { TrafficLog } from './trafficLog.ts';

/** Longest time that rows are looked at before everything else has its turn. */
export const sliceMs = 3;
/** Turns that a window waits for rows that were not looked at yet; then it says how far that is. */
const patientTurns = 8;
/** After so many turns it is told that there is more to see. */
const progressTurns = 32;
/** Rows of one window. */
export const maxWindowRows = 1_000;
/** Forgotten rows that are remembered until the next window; after more, the view begins anew. */
export const maxForgotten = 20_000;

export type TrafficViewOptions = {
  log: TrafficLog;
  filter: RowFilter;
  tunnel?: string | undefined;
  /** Called when a window would show more than the last one did, though the log did not change. */
  progressed: () => void;
  /** Milliseconds since whenever, for slices. */
  time?: () => number;
};

export type WindowRequest = {
  /** Place of the first line, or the last `count` of them. */
  from: number | 'end';
  count: number;
  /** Id of a row whose place is wanted. */
  selected?: string | undefined;
};

export class TrafficView {
  readonly #options: TrafficViewOptions;
  readonly #index = new RowIndex<ExchangeRecorder>();
  /** Of those shown: strangers and lines of servers. */
  readonly #minor = new Set<ExchangeRecorder>();
  readonly #stop: () => void;
  #forgotten: ExchangeRecorder[] = [];
  #epoch: number | undefined;
  /** Everything held when the view began, as far as it was not looked at. */
  #rest: Iterator<ExchangeRecorder> | undefined;
  #seen = 0;
  #cursor = 0;
  #looking = false;
  #closed = false;
  readonly #time: () => number;

  constructor(options: TrafficViewOptions) {
    this.#time = options.time ?? ((): number => performance.now());
    this.#options = options;
    this.#stop = options.log.onForgotten((recorder) => {
      if (this.#forgotten.length < maxForgotten) this.#forgotten.push(recorder);
      else this.#epoch = undefined;
    });
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  async window(request: WindowRequest): Promise<TrafficWindow> {
    if (!this.#looking) void this.#look();
    for (let turn = 0; turn < patientTurns && this.#looking; turn += 1) await nextTurn();
    this.#forget();
    return this.#answer(request);
  }

  /** At what was not looked at yet, until there is nothing. */
  async #look(): Promise<void> {
    this.#looking = true;
    let until = this.#time() + sliceMs;
    let turns = 0;
    while (!this.#closed) {
      this.#begin();
      const recorder = this.#next();
      if (!recorder) break;
      const looked = this.#lookAt(recorder);
      if (looked) await looked;
      if (this.#time() < until) continue;
      await nextTurn();
      turns += 1;
      if (turns % progressTurns === 0) this.#options.progressed();
      until = this.#time() + sliceMs;
    }
    this.#looking = false;
    if (turns >= patientTurns) this.#options.progressed();
  }

  /** What was said may have to be fetched; what changes meanwhile is looked at again. */
  #lookAt(recorder: ExchangeRecorder): Promise<void> | undefined {
    const { log, filter, tunnel } = this.#options;
    if (!this.#rest) this.#cursor = recorder.seq;
    const isWanted = (tunnel === undefined || recorder.tunnel === tunnel) && recorder.matches(filter.row);
    const texts = isWanted && filter.body ? log.texts(recorder) : [];
    const show = (said: readonly string[]): void => {
      if (recorder.held) this.#show(recorder, isWanted && (!filter.body || filter.body(said)));
    };
    if (!Array.isArray(texts)) return texts.then(show);
    show(texts);
    return undefined;
  }

  /** Anew, when the log was cleared since. */
  #begin(): void {
    const { log } = this.#options;
    if (this.#epoch === log.epoch) return;
    this.#epoch = log.epoch;
    this.#index.clear();
    this.#minor.clear();
    this.#forgotten = [];
    this.#seen = 0;
    this.#cursor = log.head; // What changes from now on is looked at again.
    this.#rest = log.rows();
  }

  #next(): ExchangeRecorder | undefined {
    const next = this.#rest?.next();
    if (next && !next.done) {
      this.#seen += 1;
      return next.value;
    }
    this.#rest = undefined;
    return this.#options.log.nextChange(this.#cursor);
  }

  #show(recorder: ExchangeRecorder, shown: boolean): void {
    if (shown) this.#index.add(recorder);
    else this.#index.delete(recorder);
    if (shown && recorder.class !== 'call') this.#minor.add(recorder);
    else this.#minor.delete(recorder); // Who came as a stranger may be known by now.
  }

  /** What the log forgot; from the oldest on, so nearly always at the front. */
  #forget(): void {
    for (const recorder of this.#forgotten) this.#show(recorder, false);
    this.#forgotten = [];
  }

  #answer({ from, count, selected }: WindowRequest): TrafficWindow {
    const { log, tunnel } = this.#options;
    const index = this.#index;
    // Place of each gap among all lines: behind the rows that are older, and the gaps before it.
    const gaps = log.gaps.map((gap, at) => ({ place: index.countBefore(gap.from) + at, count: gap.count }));
    const length = index.length + gaps.length;
    const size = Math.max(0, Math.min(count, maxWindowRows));
    const first = Math.max(0, Math.min(from === 'end' ? length - size : from, length));
    const held = log.held('call', tunnel);
    const seen = Math.min(this.#seen, log.size);
    const place = this.#placeOf(selected, gaps);
    return {
      lines: this.#lines(first, Math.min(length, first + size), gaps),
      from: first,
      length,
      matched: index.length,
      total: held + log.held('stranger', tunnel) + log.held('event', tunnel),
      calls: { held, shown: index.length - this.#minor.size },
      dropped: gaps.reduce((sum, gap) => sum + gap.count, 0),
      ...(place && { selected: place }),
      ...(this.#rest && { searching: { seen, of: log.size } }),
    };
  }

  #lines(first: number, end: number, gaps: readonly { place: number; count: number }[]): TrafficLine[] {
    const lines: TrafficLine[] = [];
    let before = gaps.findIndex(({ place }) => place >= first);
    if (before < 0) before = gaps.length;
    for (let at = first; at < end; at += 1) {
      const gap = gaps[before];
      if (gap?.place === at) {
        lines.push({ kind: 'gap', count: gap.count });
        before += 1;
      } else {
        lines.push({ kind: 'row', row: this.#index.at(at - before)!.row() });
      }
    }
    return lines;
  }

  #placeOf(id: string | undefined, gaps: readonly { place: number }[]): TrafficWindow['selected'] {
    const recorder = id === undefined ? undefined : this.#options.log.find(id);
    if (!recorder) return undefined;
    const place = this.#index.placeOf(recorder);
    if (place < 0) return { place, seq: recorder.seq };
    return { place: place + gaps.filter((gap, at) => gap.place - at <= place).length, seq: recorder.seq };
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
