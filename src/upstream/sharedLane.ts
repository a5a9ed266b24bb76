// One session's share of a shared server. What concerns the whole connection (the handshake, the log level,
// subscriptions) is said to the server once for all, and to this session as if it were alone.
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { RpcMessage } from '../mcp/message.ts';
import { logLevels } from '../mcp/revisions.ts';
import { textAt } from './jsonSplice.ts';
import { cancelledId } from './serverRequestIds.ts';
import type { Initialised, SessionServer, SessionServerEvents } from './sessionServer.ts';
import type { SharedServer } from './sharedServer.ts';

type Request = RpcMessage & { kind: 'request' };

/** Subscriptions of one session; one more is refused by nobody, but its updates go unheard. */
export const maxLaneSubscriptions = 1_000;

export class SharedLane implements SessionServer {
  readonly lendsIds = true;
  readonly canWait = false;
  readonly principal: string;
  readonly events: SessionServerEvents;
  readonly #server: SharedServer;
  readonly #subscriptions = new Set<string>();
  #level: number | undefined;
  #isBegun = false;
  #hasEnded = false;

  constructor(server: SharedServer, principal: string, events: SessionServerEvents) {
    this.#server = server;
    this.principal = principal;
    this.events = events;
  }

  get hasRoom(): boolean {
    return this.#server.hasRoom;
  }

  /** Whether its agent was told that the session is there. */
  get isBegun(): boolean {
    return this.#isBegun && !this.#hasEnded;
  }

  async initialize(request: Request, body: Uint8Array, signal: AbortSignal): Promise<Initialised> {
    const answer = await this.#server.initialize(this, request, body, signal);
    this.#isBegun = !answer.failed;
    return answer;
  }

  send(message: RpcMessage, bytes: Uint8Array, overdue?: () => void): void {
    switch (message.kind) {
      case 'request':
        return this.#ask(message, bytes, overdue);
      case 'notification': {
        if (message.method === 'notifications/initialized') return this.#server.initialized(message, bytes);
        if (message.method !== 'notifications/cancelled') return this.#server.say(bytes);
        const id = cancelledId(message);
        if (id !== undefined) this.#server.withdraw(this, id, bytes);
        return;
      }
      case 'result':
      case 'error':
        return this.#server.answer(this, message, bytes);
    }
  }

  isSubscribedTo(uri: JsonValue | undefined): boolean {
    if (typeof uri !== 'string') return false;
    return [...this.#subscriptions].some((subscribed) => uri === subscribed || uri.startsWith(`${subscribed}/`));
  }

  wantsLevel(level: JsonValue | undefined): boolean {
    return this.#level === undefined || typeof level !== 'string' || logLevels.indexOf(level) >= this.#level;
  }

  pause(): void {} // The others of this server cannot wait for one that reads slowly.

  resume(): void {}

  restart(why: string): void {
    this.#server.restart(why);
  }

  end(): Promise<void> {
    if (this.#hasEnded) return Promise.resolve();
    this.#hasEnded = true;
    for (const uri of this.#subscriptions) {
      if (this.#isHeldElsewhere(uri)) continue;
      const request = { kind: 'request', id: 0, method: 'resources/unsubscribe', params: { uri } } as const;
      const text = JSON.stringify({ jsonrpc: '2.0', id: 0, method: request.method, params: request.params });
      this.#server.ask(undefined, request, Buffer.from(text));
    }
    this.#server.leave(this);
    return Promise.resolve();
  }

  #ask(request: Request, bytes: Uint8Array, overdue: (() => void) | undefined): void {
    const { uri, level } = isJsonObject(request.params) ? request.params : {};
    if (request.method === 'logging/setLevel' && typeof level === 'string' && logLevels.includes(level)) {
      const others = [...this.#server.lanes].flatMap((lane) => (lane === this ? [] : (lane.#level ?? [])));
      this.#level = logLevels.indexOf(level);
      // The most talkative level counts at the server; each session hears no more than it wants.
      if (others.some((other) => other <= this.#level!)) return this.#agree(request, bytes);
    }
    if (request.method === 'resources/subscribe' && typeof uri === 'string') {
      if (this.#subscriptions.size < maxLaneSubscriptions) this.#subscriptions.add(uri);
    }
    if (request.method === 'resources/unsubscribe' && typeof uri === 'string') {
      this.#subscriptions.delete(uri);
      if (this.#isHeldElsewhere(uri)) return this.#agree(request, bytes);
    }
    this.#server.ask(this, request, bytes, overdue);
  }

  #isHeldElsewhere(uri: string): boolean {
    return [...this.#server.lanes].some((lane) => lane !== this && lane.#subscriptions.has(uri));
  }

  /** Answered in the server's name, which has nothing to do for it. */
  #agree({ id }: Request, bytes: Uint8Array): void {
    const idText = textAt(bytes, ['id']) ?? JSON.stringify(id);
    const text = `{"jsonrpc":"2.0","id":${idText},"result":{}}`;
    const answer = { kind: 'answer', id, code: undefined, result: {}, bytes: Buffer.from(text) } as const;
    // Not before whoever asks listens.
    queueMicrotask(() => this.events.onMessage(answer));
  }
}
