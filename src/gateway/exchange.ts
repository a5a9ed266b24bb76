// One HTTP request on its way through the gateway: the two HTTP objects, what is recorded of them, and the one way in
// which the gateway itself answers.
import { TunnelError } from '../core/errors.ts';
import { formatSse } from '../core/sse.ts';
import type { RpcId } from '../mcp/message.ts';
import type { ExchangeRecorder } from '../traffic/exchangeRecorder.ts';
import { writable, type Arrival, type HttpRequest, type HttpResponse } from './http.ts';

/** Bytes of an unread body that are drained so that the connection can be used again; a larger one ends it. */
export const maxDrainBytes = 65_536;

/** How the upstream's answer begins. */
export type AnswerHead = { status: number; headers: Record<string, string> };

/** Why a signal was aborted says nothing here, and a reason made anew for each exchange costs a stack trace. */
const over = new TunnelError('CANCELLED', 'the exchange is over');

export class Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly arrival: Arrival;
  readonly headers: Record<string, string>;
  readonly recorder: ExchangeRecorder;
  /** Id of the single request in the body, once it was read: what a failure is answered to. */
  rpcId: RpcId | null = null;
  /** Whether the audit log holds it: then it also hears how it went. */
  audited = false;
  readonly #controller = new AbortController();
  /** One for each answer, and there is one. */
  readonly #whenOver: (() => void)[] = [];
  #cut: string | undefined;
  #isWaiting = false;

  constructor(
    { request, response, arrival, headers }: Pick<Exchange, 'request' | 'response' | 'arrival' | 'headers'>,
    recorder: ExchangeRecorder,
  ) {
    this.request = request;
    this.response = response;
    this.arrival = arrival;
    this.headers = headers;
    this.recorder = recorder;
    response.on('close', () => {
      if (response.writableEnded) return;
      this.#cut ??= 'the agent left';
      this.#abort();
    });
    response.on('error', () => this.#abort()); // The agent's socket broke: 'close' follows.
  }

  /** Aborted when the agent has left, or may not have the answer any more, before that was complete. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Called once, when {@link signal} is aborted; cheaper than listening to that. */
  onOver(callback: () => void): void {
    if (this.signal.aborted) callback();
    else this.#whenOver.push(callback);
  }

  /** Why nobody is there any more to take the rest of the answer; `undefined` while somebody is. */
  get cut(): string | undefined {
    return this.#cut;
  }

  /**
   * Ends the exchange from our side: with `lastWord` (a JSON-RPC message) where no answer has begun, else by breaking the
   * answer off, visibly for the agent.
   */
  end(reason: string, lastWord?: string): void {
    if (!this.response.writableEnded) this.#cut ??= reason;
    if (lastWord !== undefined && (!this.response.headersSent || this.#isWaiting)) {
      this.answer(200, lastWord);
      return this.#abort();
    }
    this.#abort();
    // HTTP/2 would end the stream as if the answer were whole; an error makes it a reset.
    this.response.destroy(this.request.httpVersionMajor === 1 ? undefined : new Error(reason));
  }

  /** An event stream of ours has begun, and the answer will be an event of it. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Part of an event stream of ours, before there is an answer. */
  wait(events: string): void {
    if (this.signal.aborted || (this.response.headersSent && !this.#isWaiting)) return;
    if (!this.#isWaiting) {
      this.#isWaiting = true;
      const headers = {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
      };
      this.recorder.response(200, Object.entries(headers));
      this.response.writeHead(200, headers);
    }
    if (!this.response.writableNeedDrain) this.response.write(events);
  }

  /** The upstream's status and headers; nothing leaves before the first byte of the body, or the end. */
  begin(status: number, headers: Record<string, string>): void {
    if (this.#isWaiting) {
      this.#isWaiting = false; // The stream is the upstream's from here on.
      return;
    }
    this.recorder.response(status, Object.entries(headers));
    this.response.writeHead(status, headers);
  }

  /** Resolves when more can be taken; drops what nobody is there to read. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || this.signal.aborted) return;
    this.recorder.responseBytes(bytes.length);
    if (!this.response.write(bytes)) await writable(this.response);
  }

  finish(last: Uint8Array): void {
    if (this.signal.aborted) return;
    this.recorder.responseBytes(last.length);
    if (last.length === 0) this.response.end();
    else this.response.end(last);
  }

  #answerWaiting(json: string | undefined): void {
    if (this.signal.aborted) return;
    this.#isWaiting = false;
    this.finish(Buffer.from(json === undefined ? '' : formatSse({ type: 'message', data: json })));
  }

  #abort(): void {
    this.#controller.abort(over);
    for (const callback of this.#whenOver.splice(0)) callback();
  }

  /** An answer of our own; `json` absent for an empty body. Does nothing when an answer has begun already. */
  answer(status: number, json?: string, headers: Record<string, string> = {}): void {
    if (this.#isWaiting) return this.#answerWaiting(json);
    if (this.response.headersSent || this.signal.aborted) return;
    const all: Record<string, string> = { ...headers, 'cache-control': 'no-store' };
    if (json !== undefined) {
      const bytes = Buffer.byteLength(json);
      all['content-type'] = 'application/json';
      all['content-length'] = String(bytes);
      this.recorder.responseBytes(bytes);
    }
    const unread = this.request.method === 'POST' && !this.request.readableEnded;
    const drains = Number(this.headers['content-length'] ?? Infinity) <= maxDrainBytes;
    if (unread && !drains && this.request.httpVersionMajor === 1) all['connection'] = 'close';
    this.recorder.response(status, Object.entries(all));
    this.response.writeHead(status, all);
    if (json === undefined) this.response.end();
    else this.response.end(json);
    if (unread && drains) this.request.resume();
  }
}
