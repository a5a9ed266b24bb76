// A bounded queue that forgets its oldest entry and counts what it forgot.

export class Ring<T> {
  readonly #capacity: number;
  readonly #items: (T | undefined)[];
  #start = 0;
  #size = 0;
  #dropped = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#items = Array.from<T | undefined>({ length: capacity });
  }

  get size(): number {
    return this.#size;
  }

  /** How many entries were pushed out since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Adds at the end; returns the entry that had to go, if any. */
  push(item: T): T | undefined {
    const end = (this.#start + this.#size) % this.#capacity;
    if (this.#size < this.#capacity) {
      this.#items[end] = item;
      this.#size += 1;
      return undefined;
    }
    const oldest = this.#items[end];
    this.#items[end] = item;
    this.#start = (this.#start + 1) % this.#capacity;
    this.#dropped += 1;
    return oldest;
  }

  clear(): void {
    this.#items.fill(undefined);
    this.#start = 0;
    this.#size = 0;
  }

  /** Oldest first. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.#size; index += 1) {
      yield this.#items[(this.#start + index) % this.#capacity] as T;
    }
  }
}
