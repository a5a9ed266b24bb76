// Bytes that arrive in pieces and are taken as one. Pieces are copied into one growing place, so that a sender of
// single bytes costs no more memory than a sender of megabytes.

export class ByteBuffer {
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Keeps a copy: the source may reuse its buffer. */
  append(part: Uint8Array): void {
    const needed = this.#length + part.length;
    if (this.#length === 0 && this.#bytes.length < needed) this.#bytes = new Uint8Array(needed);
    else if (this.#bytes.length < needed) this.#grow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.set(part, this.#length);
    this.#length = needed;
  }

  /** What has arrived so far; a copy. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Gives everything away and begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.clear();
    return taken;
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
  }

  #grow(capacity: number): void {
    const larger = new Uint8Array(capacity);
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
