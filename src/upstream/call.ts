// One POST with requests in it, until all of them are answered. An answer that comes soon and alone is sent as JSON;
// as soon as anything else is to be said, or the server takes its time, the answer becomes an event stream.
import type { Clock, TimerHandle } from '../core/clock.ts';
import type { TunnelError } from '../core/errors.ts';
import type { RpcId } from '../mcp/message.ts';
import type { AgentStream } from './agentStream.ts';
import { jsonAnswer, sseAnswer } from './answers.ts';
import type { SseBody } from './sseBody.ts';
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts';

export type CallOptions = {
  ids: readonly RpcId[];
  progressTokens: readonly RpcId[];
  stream: AgentStream;
  sessionId: string;
  clock: Clock;
  jsonAnswerMs: number;
  /** Whether the agent's revision knows priming events (2025-11-25 and later). */
  mayPrime: boolean;
  makeBody: () => SseBody;
  /** Told when what follows is not what the server sent. */
  mark: UpstreamRequest['mark'];
  /** Sends it again to a server that was started anew; absent where that might do something twice. */
  replay?: () => void;
};

export class Call {
  /** Rejects when the server ends before anything was sent to the agent. */
  readonly response: Promise<UpstreamResponse>;
  readonly progressTokens: readonly RpcId[];
  readonly #options: CallOptions;
  #replays = 0;
  readonly #waiting: Set<RpcId>;
  readonly #timer: TimerHandle;
  #settle!: { resolve: (response: UpstreamResponse) => void; reject: (error: Error) => void };
  #phase: 'undecided' | 'json' | 'stream' | 'abandoned' = 'undecided';

  constructor(options: CallOptions) {
    this.#options = options;
    this.#waiting = new Set(options.ids);
    this.progressTokens = options.progressTokens;
    this.response = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#timer = options.clock.after(options.jsonAnswerMs, () => this.#openStream());
  }

  /** Requests without an answer. */
  get waiting(): ReadonlySet<RpcId> {
    return this.#waiting;
  }

  /** Whether an agent waits for it, so that other messages of the session can go along. */
  get isHeard(): boolean {
    return this.#phase === 'undecided' || (this.#phase === 'stream' && this.#options.stream.isRead);
  }

  get stream(): AgentStream {
    return this.#options.stream;
  }

  message(bytes: Uint8Array): void {
    if (this.#phase === 'abandoned') return;
    this.#openStream();
    this.#options.stream.send(bytes);
  }

  /** A message of ours, as if the server had sent it. */
  synthesise(bytes: Uint8Array): void {
    this.#options.mark?.('synthesised');
    this.message(bytes);
  }

  answer(id: RpcId, bytes: Uint8Array): void {
    this.#waiting.delete(id);
    if (this.#phase === 'undecided' && this.#options.ids.length === 1) {
      this.#phase = 'json';
      this.#timer.cancel();
      this.#settle.resolve(jsonAnswer(200, bytes, { 'mcp-session-id': this.#options.sessionId }));
      return;
    }
    this.message(bytes);
    if (this.#waiting.size === 0) this.#options.stream.finish();
  }

  /** The agent withdrew a request: there will be no answer to it. */
  cancelled(id: RpcId): void {
    this.#waiting.delete(id);
    if (this.#waiting.size > 0 || this.#phase === 'json') return;
    this.#openStream();
    this.#options.stream.finish();
  }

  /** The agent has left before anything was sent. It has no event id, so it cannot come back for the answer. */
  abandon(error: TunnelError): void {
    if (this.#phase !== 'undecided') return;
    this.#phase = 'abandoned';
    this.#timer.cancel();
    this.#settle.reject(error);
  }

  /** Whether it is sent again; once, for the call itself may be what ended the server. */
  replay(): boolean {
    const { replay } = this.#options;
    if (!replay || this.#replays > 0) return false;
    this.#replays += 1;
    replay();
    return true;
  }

  /** One request never reached the server: `text` answers it. */
  refuse(id: RpcId, text: string): void {
    this.#options.mark?.('synthesised');
    this.answer(id, Buffer.from(text));
  }

  /** The server is gone before it answered: each request that waits gets an error of its own. */
  interrupt(text: (id: RpcId) => string): void {
    this.#options.mark?.('synthesised');
    for (const id of this.#waiting) this.answer(id, Buffer.from(text(id)));
  }

  /** The server is gone: `texts` answer what still waits, where a stream is open. */
  fail(error: TunnelError, text: (id: RpcId) => string): void {
    this.#timer.cancel();
    if (this.#phase === 'undecided') {
      this.#phase = 'abandoned';
      this.#settle.reject(error);
    }
    if (this.#phase === 'stream') {
      for (const id of this.#waiting) this.#options.stream.send(Buffer.from(text(id)));
      this.#options.stream.finish();
    }
    this.#waiting.clear();
  }

  #openStream(): void {
    if (this.#phase !== 'undecided') return;
    this.#phase = 'stream';
    this.#timer.cancel();
    const body = this.#options.makeBody();
    this.#options.stream.attach(body);
    if (this.#options.mayPrime) this.#options.stream.prime();
    this.#settle.resolve(sseAnswer(body, this.#options.sessionId));
  }
}
