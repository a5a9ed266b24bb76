// What goes out on an event stream: the server's bytes, and between two of its events what is ours. Comments keep a silent
// stream alive, because carriers and proxies cut a connection on which nothing moves (100 s is usual); they never stand
// inside an event, and are not counted as bytes of the server.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { formatSse } from '../core/sse.ts';
import type { Exchange } from './exchange.ts';

/** A stream on which nothing moved for this long gets a comment. */
export const keepAliveMs = 15_000;

/** Messages of ours that wait for the end of an event of the server; one more is not taken. */
export const maxSaid = 64;

const comment = ': keep-alive\n\n';

export type EventWriterOptions = {
  clock: Clock;
  /** Absent: a stream that must not be touched, since nobody can tell where its events end. */
  keepAliveMs: number | undefined;
};

export class EventWriter {
  readonly #exchange: Exchange;
  readonly #options: EventWriterOptions;
  readonly #said: Buffer[] = [];
  #timer: TimerHandle | undefined;
  #lastMs: number;
  /** Whether what went out so far ends with a whole event. */
  #isBetween = true;

  constructor(exchange: Exchange, options: EventWriterOptions) {
    this.#exchange = exchange;
    this.#options = options;
    this.#lastMs = options.clock.now();
    if (options.keepAliveMs !== undefined) this.#wait(options.keepAliveMs);
  }

  /** `unfinished`: how many bytes at the end of `bytes` belong to an event that is not whole yet. */
  async write(bytes: Uint8Array, unfinished: number): Promise<void> {
    this.#lastMs = this.#options.clock.now();
    const whole = bytes.length - unfinished;
    if (this.#said.length === 0 || whole < 0) {
      this.#isBetween = unfinished === 0;
      return this.#exchange.write(bytes);
    }
    await this.#exchange.write(bytes.subarray(0, whole));
    this.#flush();
    this.#isBetween = unfinished === 0;
    await this.#exchange.write(bytes.subarray(whole));
  }

  /** A message of ours, as an event of its own; false where too many wait, or nobody is there to read it. */
  say(text: string): boolean {
    if (this.#said.length >= maxSaid || this.#exchange.signal.aborted || this.#exchange.response.writableEnded) {
      return false;
    }
    this.#said.push(Buffer.from(formatSse({ type: 'message', data: text })));
    if (this.#isBetween) this.#flush();
    return true;
  }

  /** Nothing of ours comes any more. */
  close(): void {
    this.#timer?.cancel();
  }

  #flush(): void {
    for (const bytes of this.#said.splice(0)) {
      this.#exchange.recorder.flag('synthesised');
      this.#exchange.response.write(bytes);
    }
  }

  #wait(ms: number): void {
    this.#timer = this.#options.clock.after(ms, () => this.#tick());
  }

  #tick(): void {
    const intervalMs = this.#options.keepAliveMs!;
    const idleMs = this.#options.clock.now() - this.#lastMs;
    if (idleMs < intervalMs) return this.#wait(intervalMs - idleMs);
    const { response, signal, recorder } = this.#exchange;
    if (signal.aborted || response.writableEnded) return;
    // Bytes that still wait for the agent will move by themselves.
    if (this.#isBetween && !response.writableNeedDrain) {
      recorder.flag('keep-alive');
      response.write(comment);
    }
    this.#wait(intervalMs);
  }
}
