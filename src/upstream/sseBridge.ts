// One agent of the HTTP+SSE transport in front of a server that does not speak it: what it posts goes to the server as
// Streamable HTTP, and whatever the server says in answer, or by itself, goes onto the agent's one stream.
import { once, setMaxListeners } from 'node:events';
import { PassThrough } from 'node:stream';
import { TunnelError, errorInfo } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { formatSse } from '../core/sse.ts';
import { failureText } from '../mcp/failures.ts';
import type { RpcId } from '../mcp/message.ts';
import { accepted, refuse } from './answers.ts';
import { eventsOf, isSseAnswer, maxSseEventBytes } from './sseServer.ts';
import { cancelledId } from './serverRequestIds.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from './upstream.ts';

/** Calls of one agent that wait for an answer, each with a connection to the server; one more gets 429. */
export const maxBridgedCalls = 64;

/** Bytes that wait for a slow agent before the server is left unread. */
export const bridgeQueueBytes = 1024 * 1024;

export class SseBridge {
  /** What the agent reads. */
  readonly stream = new PassThrough({ highWaterMark: bridgeQueueBytes });
  readonly #server: Upstream;
  readonly #opening: UpstreamRequest;
  readonly #ended = new AbortController();
  #session: string | undefined;
  /** By each of its ids; with the answers that are still missing. */
  readonly #running = new Map<RpcId, { waiting: Set<RpcId>; withdrawn: AbortController }>();
  #calls = 0;
  #listens = false;

  constructor(server: Upstream, opening: UpstreamRequest) {
    this.#server = server;
    this.#opening = opening;
    setMaxListeners(0, this.#ended.signal, this.stream); // One for each call, and calls have a bound.
    this.stream.on('error', () => {}); // The agent left, or nobody reads: 'close' follows.
  }

  async post(request: UpstreamRequest): Promise<UpstreamResponse> {
    const ids = request.messages.flatMap((message) => (message.kind === 'request' ? [message.id] : []));
    const [first] = ids;
    if (first === undefined) return this.#tell(request);
    if (this.#calls >= maxBridgedCalls) return refuse.tooManyCalls(maxBridgedCalls, first);
    this.#calls += 1;
    // The answer comes on the stream, however long it takes.
    void this.#call(request, ids).finally(() => (this.#calls -= 1));
    return accepted();
  }

  /** The agent is gone: so is its session. Never throws. */
  async end(): Promise<void> {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(new TunnelError('CANCELLED', 'the agent has left'));
    if (this.#session === undefined) return;
    try {
      const signal = new AbortController().signal;
      const answer = await this.#server.forward({ ...this.#asked('DELETE', this.#opening), signal });
      answer.body?.destroy();
    } catch {
      // A server that cannot be told will find out by itself.
    }
  }

  /** Notifications, and answers to what the server asked. */
  async #tell(request: UpstreamRequest): Promise<UpstreamResponse> {
    const answer = await this.#server.forward(this.#asked('POST', request));
    if (answer.status < 300) for (const message of request.messages) this.#withdraw(cancelledId(message));
    const begun = request.messages.some(({ kind, ...message }) => kind === 'notification' && isInitialized(message));
    if (begun && answer.status < 300 && !this.#listens) {
      this.#listens = true;
      void this.#listen();
    }
    return answer;
  }

  /** The server need not answer it, and may leave the answer's stream open for ever. */
  #withdraw(id: RpcId | undefined): void {
    const call = id === undefined ? undefined : this.#running.get(id);
    if (!call || id === undefined) return;
    call.waiting.delete(id);
    if (call.waiting.size === 0) call.withdrawn.abort();
  }

  async #call(request: UpstreamRequest, ids: readonly RpcId[]): Promise<void> {
    const waiting = new Set(ids);
    const call = { waiting, withdrawn: new AbortController() };
    for (const id of ids) this.#running.set(id, call);
    const signal = AbortSignal.any([this.#ended.signal, call.withdrawn.signal]);
    try {
      const answer = await this.#server.forward({ ...this.#asked('POST', request), signal });
      if (answer.status < 300) this.#session ??= answer.headers['mcp-session-id'];
      await this.#pass(answer, waiting);
      this.#fail(waiting, undefined);
    } catch (error) {
      this.#fail(waiting, error);
    } finally {
      for (const id of ids) if (this.#running.get(id) === call) this.#running.delete(id);
    }
  }

  /** What the server says without being asked. A server that has no such stream says so, and is not asked again. */
  async #listen(): Promise<void> {
    try {
      const answer = await this.#server.forward(this.#asked('GET', this.#opening));
      if (isSseAnswer(answer)) await this.#pass(answer, new Set());
      else answer.body?.destroy();
    } catch {
      // The server broke off: calls tell.
    }
  }

  async #pass(answer: UpstreamResponse, waiting: Set<RpcId>): Promise<void> {
    if (isSseAnswer(answer)) {
      for await (const { type, data } of eventsOf(answer.body!)) {
        if (type === 'message' && data !== '') await this.#write(data, waiting);
      }
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body ?? []) {
      bytes += (chunk as Buffer).length;
      if (bytes > maxSseEventBytes)
        throw new TunnelError('LIMIT', `an answer is larger than ${maxSseEventBytes} bytes`);
      chunks.push(chunk as Buffer);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    if (answer.status < 300 || isErrorFor(text, waiting)) await this.#write(text, waiting);
  }

  /** Waits while the agent does not read. */
  async #write(text: string, waiting: Set<RpcId>): Promise<void> {
    for (const id of answeredIn(text)) waiting.delete(id);
    if (this.stream.destroyed || text === '') return;
    if (this.stream.write(formatSse({ type: 'message', data: text }))) return;
    await once(this.stream, 'drain', { signal: this.#ended.signal }).catch(() => undefined); // It has left.
  }

  /** Who was not answered is told so. */
  #fail(waiting: ReadonlySet<RpcId>, error: unknown): void {
    if (this.#ended.signal.aborted || waiting.size === 0) return;
    this.#opening.mark?.('synthesised');
    const info = error === undefined ? { code: 'UPSTREAM_PROTOCOL' as const } : errorInfo(error);
    for (const id of waiting) this.stream.write(formatSse({ type: 'message', data: failureText(id, info) }));
  }

  #asked(method: UpstreamRequest['method'], { sseSession: _old, ...request }: UpstreamRequest): UpstreamRequest {
    const session = this.#session;
    const headers: Record<string, string> = {
      ...request.headers,
      accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
    };
    // The POST is over at once; what it began ends with the stream.
    const { signal } = this.#ended;
    return { ...request, method, headers, signal, ...(session === undefined ? {} : { sessionId: session }) };
  }
}

function isInitialized(message: object): boolean {
  return 'method' in message && message.method === 'notifications/initialized';
}

/** Ids of the answers in a message, or in a batch of them. */
function answeredIn(text: string): RpcId[] {
  const value = parsed(text);
  return (Array.isArray(value) ? value : [value]).flatMap((message) =>
    isJsonObject(message) && !('method' in message) ? [message['id'] as RpcId] : [],
  );
}

function isErrorFor(text: string, waiting: ReadonlySet<RpcId>): boolean {
  return answeredIn(text).some((id) => waiting.has(id));
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null; // A page of a web framework, perhaps: nobody's answer.
  }
}
