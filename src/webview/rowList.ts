// What the page holds of the lines that match: those in sight and some around them, and how many there are in all.
import type { TrafficLine, TrafficWindow } from '../protocol/inspector.ts';

const nothing: TrafficWindow = {
  lines: [],
  from: 0,
  length: 0,
  matched: 0,
  total: 0,
  calls: { held: 0, shown: 0 },
  dropped: 0,
};

export class RowList {
  #window: TrafficWindow = nothing;
  #selected: string | undefined;

  /** The last answer, whole. */
  get window(): Readonly<TrafficWindow> {
    return this.#window;
  }

  /** Lines that match; only some of them are held here. */
  get length(): number {
    return this.#window.length;
  }

  /** `selected` is the id that was asked for with it. */
  put(window: TrafficWindow, selected: string | undefined): void {
    this.#window = window;
    this.#selected = selected;
  }

  clear(): void {
    this.put(nothing, undefined);
  }

  /** The line at a place, if it is held here. */
  line(place: number): TrafficLine | undefined {
    return this.#window.lines[place - this.#window.from];
  }

  /** Whether all lines from `first` to `end` (not included) are held here, as far as there are any. */
  covers(first: number, end: number): boolean {
    const { from, lines, length } = this.#window;
    return first >= Math.min(from, length) && Math.min(end, length) <= from + lines.length;
  }

  /** Place of a row, or -1 where it does not match or nothing is known of it. */
  indexOf(id: string): number {
    const { lines, from, selected } = this.#window;
    const at = lines.findIndex((line) => line.kind === 'row' && line.row.id === id);
    if (at >= 0) return from + at;
    return id === this.#selected ? (selected?.place ?? -1) : -1;
  }

  /** Number of the newest change of a row, if anything is known of it. */
  seqOf(id: string): number | undefined {
    const line = this.#window.lines.find((one) => one.kind === 'row' && one.row.id === id);
    if (line?.kind === 'row') return line.row.seq;
    return id === this.#selected ? this.#window.selected?.seq : undefined;
  }
}
