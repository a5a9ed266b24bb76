// The body of one server-sent event stream on its way to an agent. It says when enough is waiting, so that the source
// can be left unread, and ends with a reason when the agent stops reading for good.
import { Readable } from 'node:stream';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { formatSse } from '../core/sse.ts';

export type SseBodyOptions = {
  clock: Clock;
  /** Bytes that may wait before {@link SseBodyOptions.onFull} is called. */
  queueBytes: number;
  /** Where the source cannot be left unread: of more that waits, nothing is taken and the stream is ended. */
  maxQueueBytes?: number;
  stallMs: number;
  onFull: () => void;
  /** The other direction of `onFull`; also called when it ends while full. */
  onDrained: () => void;
  /** The agent has left, or everything was delivered. */
  onGone: () => void;
};

/** Large events are handed over in pieces, so that each one read shows that the agent is there. */
const PIECE_BYTES = 64 * 1024;

const CR = 0x0d;
const encoder = new TextEncoder();

export class SseBody extends Readable {
  readonly #options: SseBodyOptions;
  #full = false;
  #finished = false;
  #stall: TimerHandle | undefined;

  constructor(options: SseBodyOptions) {
    super({ highWaterMark: options.queueBytes });
    this.#options = options;
    this.once('close', () => {
      this.#drained();
      options.onGone();
    });
  }

  /** One message as an event, with an id where it can be resumed from. Its bytes stay what they are. */
  event(id: string | undefined, data: Uint8Array): void {
    const named = id === undefined ? {} : { id };
    if (data.includes(CR)) {
      // Between tokens JSON may hold a CR, which would end the data line.
      this.#write(encoder.encode(formatSse({ type: 'message', ...named, data: Buffer.from(data).toString('utf8') })));
      return;
    }
    const head = encoder.encode(`event: message\n${id === undefined ? '' : `id: ${id}\n`}data: `);
    const whole = new Uint8Array(head.length + data.length + 2);
    whole.set(head);
    whole.set(data, head.length);
    whole.fill(0x0a, head.length + data.length);
    this.#write(whole);
  }

  /** An id without a message: from here the agent can resume (2025-11-25, "priming event"). */
  prime(id: string): void {
    this.#write(encoder.encode(`id: ${id}\ndata: \n\n`));
  }

  /** Nothing will follow; what waits is still delivered. */
  finish(): void {
    if (this.#finished || this.destroyed) return;
    this.#finished = true;
    this.push(null);
  }

  override _read(): void {
    this.#drained();
  }

  override read(size?: number): unknown {
    // Without a size all that waits would come as one copy, however much it is.
    const piece = size ?? (this.readableLength > PIECE_BYTES ? PIECE_BYTES : undefined);
    const chunk: unknown = super.read(piece);
    if (chunk !== null && this.#stall) this.#watchStall();
    return chunk;
  }

  #write(bytes: Uint8Array): void {
    if (this.destroyed || this.#finished) return;
    if (this.readableLength > (this.#options.maxQueueBytes ?? Infinity)) {
      this.destroy(new TunnelError('LIMIT', 'the agent reads more slowly than a shared server writes'));
      return;
    }
    let hasRoom = true;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) hasRoom = this.push(bytes.subarray(at, at + PIECE_BYTES));
    if (hasRoom || this.#full) return;
    this.#full = true;
    this.#options.onFull();
    this.#watchStall();
  }

  #drained(): void {
    this.#stall?.cancel();
    this.#stall = undefined;
    if (!this.#full) return;
    this.#full = false;
    this.#options.onDrained();
  }

  #watchStall(): void {
    this.#stall?.cancel();
    this.#stall = this.#options.clock.after(this.#options.stallMs, () => {
      this.destroy(new TunnelError('LIMIT', `the agent read nothing for ${this.#options.stallMs / 1000} s`));
    });
  }
}
