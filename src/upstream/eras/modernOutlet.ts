// The answer to one modern request while it comes: JSON when the result comes soon and alone, an event stream as soon as
// anything else is to be said. Streams of this era have no event ids: nobody can come back for them.
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Clock, TimerHandle } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import { formatSse } from '../../core/sse.ts';
import { jsonAnswer } from '../answers.ts';
import { stdioLimits } from '../stdioLimits.ts';
import type { UpstreamResponse } from '../upstream.ts';

export type OutletOptions = { clock: Clock; signal: AbortSignal; onLeft: () => void };

export class ModernOutlet {
  readonly response: Promise<UpstreamResponse>;
  readonly #options: OutletOptions;
  readonly #timer: TimerHandle;
  readonly #left = (): void => {
    if (this.#over) return;
    this.#end();
    this.#body?.destroy();
    this.#settle.reject(this.#options.signal.reason as Error);
    this.#options.onLeft();
  };
  #settle!: { resolve: (response: UpstreamResponse) => void; reject: (error: Error) => void };
  #body: PassThrough | undefined;
  #over = false;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.response = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.response.catch(() => undefined); // Who waits hears of it; a stream that was given already has nobody waiting.
    this.#timer = options.clock.after(stdioLimits.jsonAnswerMs, () => this.#stream());
    options.signal.addEventListener('abort', this.#left, { once: true });
    if (options.signal.aborted) queueMicrotask(this.#left);
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Bytes that the agent has not taken yet. */
  get waitingBytes(): number {
    return this.#body?.writableLength ?? 0;
  }

  /** A notification, at the agent's pace. */
  async notification(text: string): Promise<void> {
    if (this.#over) return;
    const body = this.#stream();
    if (body.write(eventOf(text)) || body.destroyed) return;
    await once(body, 'drain', { signal: this.#options.signal }).catch(() => undefined); // It has left.
  }

  /** The answer; `status` only where nothing was sent before. */
  finish(text: string, status = 200): void {
    if (this.#over) return;
    this.#end();
    if (this.#body) this.#body.end(eventOf(text));
    else this.#settle.resolve(jsonAnswer(status, Buffer.from(text)));
  }

  /** Another answer than a message; a stream that has begun is broken off. */
  refuse(response: UpstreamResponse): void {
    if (this.#body) return this.fail(new TunnelError('UPSTREAM_EXITED', 'the server refused the rest of the call'));
    if (this.#over) return;
    this.#end();
    this.#settle.resolve(response);
  }

  /** There is no answer: a stream that has begun is broken off. */
  fail(error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#body?.destroy(error);
    this.#settle.reject(error);
  }

  #end(): void {
    this.#over = true;
    this.#timer.cancel();
    this.#options.signal.removeEventListener('abort', this.#left);
  }

  #stream(): PassThrough {
    if (this.#body) return this.#body;
    this.#timer.cancel();
    this.#body = new PassThrough({ highWaterMark: stdioLimits.streamQueueBytes });
    this.#body.on('error', () => undefined); // Broken off on purpose; who reads it hears of it.
    this.#settle.resolve({
      status: 200,
      headers: {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
      },
      body: this.#body,
    });
    return this.#body;
  }
}

function eventOf(text: string): string {
  return formatSse({ type: 'message', data: text });
}
