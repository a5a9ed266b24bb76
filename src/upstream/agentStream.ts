// One stream of messages to an agent: of a POST, or the GET stream of its session. Every message is stored first, so
// that an agent whose connection broke gets what it missed, and nothing twice, when it comes back.
import type { EventStore } from './eventStore.ts';
import type { SseBody } from './sseBody.ts';

export class AgentStream {
  /** Unique in its session; the first part of its event ids. */
  readonly name: string;
  readonly #store: EventStore;
  #reader: SseBody | undefined;
  /** The newest message that some reader was given. */
  #givenSeq = 0;
  #finished = false;

  constructor(name: string, store: EventStore) {
    this.name = name;
    this.#store = store;
  }

  get isRead(): boolean {
    return this.#reader !== undefined && !this.#reader.destroyed;
  }

  send(data: Uint8Array): void {
    const event = this.#store.append(this.name, data);
    if (!this.isRead) return;
    this.#givenSeq = event.seq;
    this.#reader!.event(event.id, event.data);
  }

  /**
   * Messages go to `reader` from now on, beginning with those after `afterSeq` (absent: those nobody was given yet).
   * An earlier reader is ended: an agent that comes back has lost that connection, even if nobody told us.
   */
  attach(reader: SseBody, afterSeq = this.#givenSeq): void {
    this.#reader?.finish();
    this.#reader = reader;
    for (const event of this.#store.after(this.name, afterSeq)) {
      this.#givenSeq = Math.max(this.#givenSeq, event.seq);
      reader.event(event.id, event.data);
    }
    if (this.#finished) reader.finish();
  }

  /** The first event of a new stream: an id from which it can be resumed. */
  prime(): void {
    this.#reader?.prime(this.#store.nextId(this.name));
  }

  /** No message will follow. */
  finish(): void {
    this.#finished = true;
    this.#reader?.finish();
  }
}
