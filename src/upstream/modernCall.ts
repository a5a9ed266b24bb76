// One POST of the modern era (2026-07-28), until it is answered: JSON where the answer comes soon and alone, else a
// stream that cannot be resumed. Whoever closes the stream withdraws the request.
import type { Clock, TimerHandle } from '../core/clock.ts';
import type { TunnelError } from '../core/errors.ts';
import { rpcCode } from '../mcp/rpcErrors.ts';
import { jsonAnswer, sseAnswer } from './answers.ts';
import type { SseBody } from './sseBody.ts';
import type { UpstreamResponse } from './upstream.ts';

export type ModernCallOptions = {
  clock: Clock;
  jsonAnswerMs: number;
  makeBody: (onGone: () => void) => SseBody;
  signal: AbortSignal;
  /** The agent left before it was answered. */
  onLeft: () => void;
};

/** What the transport answers with a status of its own (2026-07-28, "Streamable HTTP"); every other error is 200. */
const STATUS: Readonly<Record<number, number>> = {
  [rpcCode.parseError]: 400,
  [rpcCode.invalidRequest]: 400,
  [rpcCode.methodNotFound]: 404,
  [rpcCode.headerMismatch]: 400,
  [-32021]: 400, // MissingRequiredClientCapability
  [rpcCode.unsupportedVersion]: 400,
};

export class ModernCall {
  /** Rejects when the server is gone before anything was sent to the agent. */
  readonly response: Promise<UpstreamResponse>;
  readonly #options: ModernCallOptions;
  readonly #timer: TimerHandle;
  #settle!: { resolve: (response: UpstreamResponse) => void; reject: (error: Error) => void };
  #body: SseBody | undefined;
  #isOver = false;

  constructor(options: ModernCallOptions) {
    this.#options = options;
    this.response = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#timer = options.clock.after(options.jsonAnswerMs, () => this.#stream());
    options.signal.addEventListener('abort', this.#left, { once: true });
    if (options.signal.aborted) queueMicrotask(this.#left);
  }

  message(bytes: Uint8Array): void {
    if (!this.#isOver) this.#stream().event(undefined, bytes);
  }

  /** `code` is that of an error. */
  answer(bytes: Uint8Array, code: number | undefined): void {
    if (this.#isOver) return;
    this.#end();
    if (this.#body) {
      this.#body.event(undefined, bytes);
      this.#body.finish();
    } else {
      this.#settle.resolve(jsonAnswer(code === undefined ? 200 : (STATUS[code] ?? 200), bytes));
    }
  }

  /** There will be no answer; `text` says so where a stream is open. */
  fail(error: TunnelError, text: string): void {
    if (this.#body) return this.answer(Buffer.from(text), 0);
    if (this.#isOver) return;
    this.#end();
    this.#settle.reject(error);
  }

  /** The agent withdrew it by a notification: there will be no answer. */
  withdrawn(): void {
    if (this.#isOver) return;
    const body = this.#stream();
    this.#end();
    body.finish();
  }

  readonly #left = (): void => {
    if (this.#isOver) return;
    this.#end();
    this.#body?.finish();
    this.#settle.reject(this.#options.signal.reason as Error);
    this.#options.onLeft();
  };

  #stream(): SseBody {
    if (this.#body) return this.#body;
    this.#timer.cancel();
    this.#body = this.#options.makeBody(this.#left);
    this.#settle.resolve(sseAnswer(this.#body));
    return this.#body;
  }

  #end(): void {
    this.#isOver = true;
    this.#timer.cancel();
    this.#options.signal.removeEventListener('abort', this.#left);
  }
}
