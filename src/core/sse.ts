// Server-sent events (WHATWG HTML §9.2) read from bytes, and written.
// The reader keeps each event's exact bytes, so that a gateway can look at a copy and pass the original on.

import { ByteBuffer } from './byteBuffer.ts';

export type SseEvent = {
  /** The `event` field; `message` where it is absent. */
  type: string;
  /** The `data` lines joined with LF. */
  data: string;
  /** The `id` field of this event, if it has one. */
  id: string | undefined;
  /** The exact bytes of this event, terminator included; comments and `retry` are in it too. */
  raw: Uint8Array;
};

export type SseReaderOptions = {
  /** Largest single event in bytes. */
  maxEventBytes: number;
  /** Comment-only blocks arrive as events with empty data and no id. */
  onEvent: (event: SseEvent) => void;
  /** An event grew over the limit: it is passed over, and the next one is read normally. Absent: `push` throws. */
  onOverlong?: () => void;
};

const LF = 0x0a;
const CR = 0x0d;

/** Without `onOverlong`, throws `RangeError` from `push` when one event grows over the limit, and is of no use then. */
export class SseReader {
  readonly #options: SseReaderOptions;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #event = new ByteBuffer();
  #isFirst = true;
  /** True while the current line has no byte yet. */
  #lineEmpty = true;
  #lastWasCr = false;
  /** The rest of an event that grew over the limit is passed over. */
  #skipping = false;

  constructor(options: SseReaderOptions) {
    this.#options = options;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (byte !== LF && byte !== CR) {
        this.#lineEmpty = false;
        this.#lastWasCr = false;
        continue;
      }
      // The LF of a CRLF belongs to the line end already counted. Where that CR ended an event, which was passed on
      // without waiting for a byte that may never come, the LF follows as a block of its own.
      const secondHalf = byte === LF && this.#lastWasCr;
      this.#lastWasCr = byte === CR;
      const eventEnds = secondHalf ? !this.isInside && at === from : this.#lineEmpty;
      this.#lineEmpty = true;
      if (!eventEnds) continue;
      this.#keep(chunk.subarray(from, at + 1));
      this.#emit();
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** Bytes of an unfinished event: what is left when the stream ended in the middle of one. */
  get rest(): Uint8Array {
    return this.#event.copy();
  }

  /** How many bytes {@link rest} has. */
  get heldBytes(): number {
    return this.#event.length;
  }

  /** Whether an event has begun that has not ended. */
  get isInside(): boolean {
    return this.#event.length > 0 || this.#skipping;
  }

  /** Whether the event that has begun is passed over because it grew over the limit. */
  get isSkipping(): boolean {
    return this.#skipping;
  }

  #keep(part: Uint8Array): void {
    if (part.length === 0 || this.#skipping) return;
    if (this.#event.length + part.length > this.#options.maxEventBytes) {
      const { onOverlong, maxEventBytes } = this.#options;
      if (!onOverlong) throw new RangeError(`an SSE event is larger than ${maxEventBytes} bytes`);
      this.#event.clear();
      this.#skipping = true;
      return onOverlong();
    }
    this.#event.append(part);
  }

  #emit(): void {
    if (this.#skipping) {
      this.#skipping = false;
      this.#isFirst = false;
      return;
    }
    const raw = this.#event.take();
    const text = this.#decoder.decode(raw);
    // A byte order mark counts only at the start of the stream; anywhere else it is part of a field's name.
    const block = parseBlock(this.#isFirst ? text.replace(/^\uFEFF/, '') : text);
    this.#isFirst = false;
    this.#options.onEvent({ ...block, raw });
  }
}

function parseBlock(text: string): Omit<SseEvent, 'raw'> {
  let type = '';
  let id: string | undefined;
  const data: string[] = [];
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':');
    if (colon === 0 || line === '') continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') data.push(value);
    else if (field === 'event') type = value;
    else if (field === 'id' && !value.includes('\0')) id = value;
  }
  return { type: type || 'message', data: data.join('\n'), id };
}

/** One event as text, terminator included. */
export function formatSse(event: { data: string; type?: string; id?: string; retryMs?: number }): string {
  const head =
    (event.type === undefined ? '' : `event: ${event.type}\n`) +
    (event.id === undefined ? '' : `id: ${event.id}\n`) +
    (event.retryMs === undefined ? '' : `retry: ${event.retryMs}\n`);
  const data = event.data
    .split(/\r\n|\n|\r/)
    .map((line) => `data: ${line}\n`)
    .join('');
  return `${head}${data}\n`;
}
