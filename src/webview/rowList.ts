// The exchanges the page holds, in the order they began, and those of them that match the filter. A change of one row
// costs the same whether ten or a hundred thousand are held.
import { rowClass, type RowClass } from '../mcp/exchange.ts';
import type { ExchangeRow } from '../protocol/inspector.ts';

/** Rows held by the page; the oldest are forgotten. */
export const maxRows = 100_000;
/** Of those rows: attempts of strangers, and lines of servers. They must not push out the calls of agents. */
export const maxMinorRows = 2_000;
/** Rows forgotten at once, so that forgetting is rare. */
const forgetStep = 1_000;

/** One place in the list; `row` is replaced when the exchange goes on. */
export type Entry = { readonly order: number; row: ExchangeRow; text: string; shown: boolean };

export class RowList {
  readonly #maxRows: number;
  readonly #byId = new Map<string, Entry>();
  #all: Entry[] = [];
  #shown: Entry[] = [];
  #words: string[] = [];
  #nextOrder = 0;
  #calls = 0;
  #shownCalls = 0;
  #forgotten = 0;
  /** Rows put since the last look at how many are not calls. */
  #minorPut = 0;

  constructor(max = maxRows) {
    this.#maxRows = max;
  }

  /** How many are held, whether or not they match. */
  get total(): number {
    return this.#all.length;
  }

  get forgotten(): number {
    return this.#forgotten;
  }

  /** Of those held: calls of agents, and how many of them match the filter. */
  get calls(): { held: number; shown: number } {
    return { held: this.#calls, shown: this.#shownCalls };
  }

  /** Those that match the filter, oldest first. */
  get shown(): readonly Entry[] {
    return this.#shown;
  }

  get(id: string): Entry | undefined {
    return this.#byId.get(id);
  }

  put(rows: readonly ExchangeRow[]): void {
    for (const row of rows) this.#putOne(row);
    if (this.#minorPut > forgetStep) this.#forgetMinor();
    if (this.#all.length > this.#maxRows) this.#forget();
  }

  /** Every word must occur in a row's agent, method, name, status or HTTP status; case does not matter. */
  filter(text: string): void {
    this.#words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.#shown = this.#all.filter((entry) => (entry.shown = this.#matches(entry)));
    this.#shownCalls = this.#shown.filter(isCall).length;
  }

  clear(): void {
    this.#byId.clear();
    this.#all = [];
    this.#shown = [];
    this.#forgotten = 0;
    this.#calls = 0;
    this.#shownCalls = 0;
  }

  /** Place among the shown ones, or -1. */
  indexOf(id: string): number {
    const entry = this.#byId.get(id);
    return entry?.shown ? this.#placeOf(entry.order) : -1;
  }

  #putOne(row: ExchangeRow): void {
    const known = this.#byId.get(row.id);
    if (known) {
      if (row.seq < known.row.seq) return; // An older page that arrives late.
      this.#count(known, -1); // Who came as a stranger may be known by now.
      known.row = row;
      this.#count(known, 1);
      known.text = searchText(row);
      this.#show(known, this.#matches(known));
      return;
    }
    const entry: Entry = { order: this.#nextOrder++, row, text: searchText(row), shown: false };
    if (rowClass(row) !== 'call') this.#minorPut += 1;
    this.#byId.set(row.id, entry);
    this.#all.push(entry);
    this.#count(entry, 1);
    this.#show(entry, this.#matches(entry));
  }

  #count(entry: Entry, change: 1 | -1): void {
    if (!isCall(entry)) return;
    this.#calls += change;
    if (entry.shown) this.#shownCalls += change;
  }

  #matches({ text }: Entry): boolean {
    return this.#words.every((word) => text.includes(word));
  }

  #show(entry: Entry, shown: boolean): void {
    if (entry.shown === shown) return;
    entry.shown = shown;
    if (isCall(entry)) this.#shownCalls += shown ? 1 : -1;
    const place = this.#placeOf(entry.order);
    if (shown) this.#shown.splice(place, 0, entry);
    else this.#shown.splice(place, 1);
  }

  /** Where an entry of this order stands, or would stand, among the shown ones. */
  #placeOf(order: number): number {
    let low = 0;
    let high = this.#shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#shown[middle]!.order < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The newest of each class stay; what is forgotten here was no call, and is not counted as one. */
  #forgetMinor(): void {
    this.#minorPut = 0;
    const left: Record<RowClass, number> = { call: Infinity, stranger: maxMinorRows, event: maxMinorRows };
    const gone = new Set<Entry>();
    for (let at = this.#all.length - 1; at >= 0; at -= 1) {
      const entry = this.#all[at]!;
      if ((left[rowClass(entry.row)] -= 1) < 0) gone.add(entry);
    }
    if (gone.size === 0) return;
    for (const { row } of gone) this.#byId.delete(row.id); // No call is among them.
    this.#all = this.#all.filter((entry) => !gone.has(entry));
    this.#shown = this.#shown.filter((entry) => !gone.has(entry));
  }

  #forget(): void {
    const count = Math.min(this.#all.length, this.#all.length - this.#maxRows + forgetStep);
    const gone = this.#all.splice(0, count);
    for (const entry of gone) {
      this.#byId.delete(entry.row.id);
      this.#count(entry, -1);
    }
    this.#forgotten += gone.length;
    this.#shown.splice(0, this.#placeOf(gone[gone.length - 1]!.order + 1));
  }
}

function isCall({ row }: Entry): boolean {
  return rowClass(row) === 'call';
}

function searchText({ agent, method, name, status, httpStatus, reason }: ExchangeRow): string {
  return `${agent} ${method} ${name ?? ''} ${status} ${httpStatus ?? ''} ${reason ?? ''}`.slice(0, 1_000).toLowerCase();
}
