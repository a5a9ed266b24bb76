// What an agent hears while its call waits for a person: comments, so that nothing on the way cuts the connection, and
// progress where it gave a token. With the first of them the answer becomes an event stream.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { formatSse } from '../core/sse.ts';
import type { Call } from './call.ts';
import type { Exchange } from './exchange.ts';

export class WaitingStream {
  readonly #exchange: Exchange;
  readonly #token: JsonValue | undefined;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #said = 0;
  #timer: TimerHandle | undefined;

  constructor(exchange: Exchange, call: Call, { clock, keepAliveMs }: { clock: Clock; keepAliveMs: number }) {
    this.#exchange = exchange;
    this.#token = progressToken(call);
    this.#clock = clock;
    this.#intervalMs = keepAliveMs;
    // The old transport has its answers on another stream, which is kept alive by itself.
    if (!call.isSse && /\btext\/event-stream\b/i.test(exchange.headers['accept'] ?? '')) this.#wait();
  }

  /** Nothing of ours comes any more. */
  close(): void {
    this.#timer?.cancel();
  }

  #wait(): void {
    this.#timer = this.#clock.after(this.#intervalMs, () => {
      this.#said += 1;
      this.#exchange.recorder.flag(this.#token === undefined ? 'keep-alive' : 'synthesised');
      this.#exchange.wait(this.#token === undefined ? ': waiting\n\n' : this.#progress(this.#token));
      this.#wait();
    });
  }

  #progress(progressToken: JsonValue): string {
    // It has to rise, and the server's own may begin at 0: it rises towards that.
    const params = { progressToken, progress: -1 / this.#said, message: 'waiting for a person to agree' };
    return formatSse({
      type: 'message',
      data: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params }),
    });
  }
}

function progressToken({ messages: [message] }: Call): JsonValue | undefined {
  const params = message && 'params' in message ? message.params : undefined;
  const meta = isJsonObject(params) ? params['_meta'] : undefined;
  const token = isJsonObject(meta) ? meta['progressToken'] : undefined;
  return typeof token === 'string' || typeof token === 'number' ? token : undefined;
}
