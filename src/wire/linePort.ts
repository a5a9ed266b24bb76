// A Port over bytes: one JSON text a line. The control stream of a link, a Unix socket and a pair of pipes are all
// spoken to this way. Both directions are bounded: a line that is too long, or a reader that does not read, ends it.
import { Duplex, type Readable, type Writable } from 'node:stream';
import { LineSplitter } from '../core/lines.ts';
import type { Port } from '../protocol/port.ts';

export type LinePortOptions = {
  /** Longest line that is accepted, in bytes; a longer one ends the port. */
  maxLineBytes: number;
  /** What may wait for a reader that does not read, in bytes; more ends the port. */
  maxQueuedBytes: number;
};

export type LineStreams = Duplex | { readable: Readable; writable: Writable };

/** Reading begins with `onMessage`: until then the system keeps what was sent. */
export function linePort(streams: LineStreams, options: LinePortOptions): Port {
  const { readable, writable } = streams instanceof Duplex ? { readable: streams, writable: streams } : streams;
  return new LinePort(readable, writable, options);
}

class LinePort implements Port {
  readonly #readable: Readable;
  readonly #writable: Writable;
  readonly #options: LinePortOptions;
  #isClosed = false;
  #closed: (() => void) | undefined;

  constructor(readable: Readable, writable: Writable, options: LinePortOptions) {
    this.#readable = readable;
    this.#writable = writable;
    this.#options = options;
    const close = (): void => this.close();
    readable.on('end', close).on('close', close).on('error', close);
    writable.on('close', close).on('error', close);
  }

  send(text: string): void {
    if (this.#isClosed || !this.#writable.writable) return;
    this.#writable.write(`${text}\n`);
    if (this.#writable.writableLength > this.#options.maxQueuedBytes) this.#break();
  }

  onMessage(receive: (text: string) => void): void {
    const lines = new LineSplitter({
      maxLineBytes: this.#options.maxLineBytes,
      onLine: (line) => {
        if (!this.#isClosed && line !== '') receive(line);
      },
      onOverlong: () => this.#break(),
    });
    this.#readable.on('data', (chunk: Buffer) => lines.push(chunk));
  }

  onClose(closed: () => void): void {
    if (this.#isClosed) closed();
    else this.#closed = closed;
  }

  /** What was sent already still arrives. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#writable.end();
    this.#readable.resume(); // Nobody listens any more, but its end must still be seen.
    this.#closed?.();
  }

  /** The other side broke a limit: it gets nothing more, and nothing more of it is read. */
  #break(): void {
    this.close();
    this.#writable.destroy();
    this.#readable.destroy();
  }
}
