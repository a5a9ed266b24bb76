// Rows in the order they began, by place. To add the newest and to take out the oldest costs the same whether ten or
// a hundred thousand are held; in between, the shorter side moves.

export type Numbered = { readonly ordinal: number };

/** Places left empty at the front before the rest is moved there. */
const manyEmpty = 10_000;

export class RowIndex<Row extends Numbered> {
  #rows: Row[] = [];
  /** Of `#rows`, what stands before it is taken out already. */
  #head = 0;

  get length(): number {
    return this.#rows.length - this.#head;
  }

  at(place: number): Row | undefined {
    return place < 0 ? undefined : this.#rows[this.#head + place];
  }

  /** Where it stands, or -1. */
  placeOf(row: Row): number {
    const place = this.countBefore(row.ordinal);
    return this.at(place) === row ? place : -1;
  }

  /** How many began before the one of this number. */
  countBefore(ordinal: number): number {
    let low = this.#head;
    let high = this.#rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#rows[middle]!.ordinal < ordinal) low = middle + 1;
      else high = middle;
    }
    return low - this.#head;
  }

  /** Nothing happens when it is there. */
  add(row: Row): void {
    const last = this.#rows.at(-1);
    if (this.length === 0 || last!.ordinal < row.ordinal) {
      this.#rows.push(row);
      return;
    }
    const place = this.countBefore(row.ordinal);
    if (this.at(place) !== row) this.#rows.splice(this.#head + place, 0, row);
  }

  /** Says whether it was there. */
  delete(row: Row): boolean {
    const place = this.placeOf(row);
    if (place < 0) return false;
    if (place < this.length / 2) {
      this.#rows.copyWithin(this.#head + 1, this.#head, this.#head + place);
      this.#head += 1;
      if (this.#head > manyEmpty) this.#tidy();
    } else {
      this.#rows.splice(this.#head + place, 1);
    }
    return true;
  }

  clear(): void {
    this.#rows = [];
    this.#head = 0;
  }

  #tidy(): void {
    this.#rows.splice(0, this.#head);
    this.#head = 0;
  }
}
