// Events of one MCP session, kept for an agent that comes back with Last-Event-ID (MCP 2025-11-25, "Resumability and
// Redelivery"). Ids are unique in the session and name their stream; the oldest events are forgotten first.

export type StoredEvent = { id: string; seq: number; stream: string; data: Uint8Array };

export class EventStore {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #events = new Map<number, StoredEvent>();
  /** Events held per stream. */
  readonly #held = new Map<string, number>();
  #bytes = 0;
  #seq = 0;

  constructor(maxEvents: number, maxBytes: number) {
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  append(stream: string, data: Uint8Array): StoredEvent {
    const event = { id: this.nextId(stream), seq: this.#seq, stream, data };
    if (data.length > this.#maxBytes) return event; // Larger than all there is: it passes, but cannot be had again.
    this.#events.set(event.seq, event);
    this.#held.set(stream, (this.#held.get(stream) ?? 0) + 1);
    this.#bytes += data.length;
    while (this.#events.size > this.#maxEvents || this.#bytes > this.#maxBytes) this.#forgetOldest();
    return event;
  }

  /** An id that stands for "nothing yet after this point". */
  nextId(stream: string): string {
    this.#seq += 1;
    return `${stream}-${this.#seq}`;
  }

  holds(stream: string): boolean {
    return this.#held.has(stream);
  }

  /** What `stream` sent after `seq`, oldest first. */
  *after(stream: string, seq: number): IterableIterator<StoredEvent> {
    for (const event of this.#events.values()) if (event.stream === stream && event.seq > seq) yield event;
  }

  /** The parts of an id this store may have made; `undefined` for any other text. */
  parse(id: string): { stream: string; seq: number } | undefined {
    const match = /^([a-z]\d*)-(\d{1,15})$/.exec(id);
    const seq = Number(match?.[2]);
    return match && seq <= this.#seq ? { stream: match[1]!, seq } : undefined;
  }

  #forgetOldest(): void {
    const [seq, event] = this.#events.entries().next().value!;
    this.#events.delete(seq);
    this.#bytes -= event.data.length;
    const held = this.#held.get(event.stream)! - 1;
    if (held === 0) this.#held.delete(event.stream);
    else this.#held.set(event.stream, held);
  }
}
