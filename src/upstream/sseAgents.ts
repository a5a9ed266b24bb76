// Agents that speak only HTTP+SSE (2024-11-05), in front of any server: one that speaks it too gets their messages as they
// are, with only the announced endpoint rewritten; any other is spoken to in Streamable HTTP on their behalf.
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { formatSse } from '../core/sse.ts';
import { rpcCode } from '../mcp/rpcErrors.ts';
import { opensSse, sseEndpoint } from '../mcp/sseEndpoint.ts';
import { refusal, refuse, sseAnswer } from './answers.ts';
import type { HttpServer } from './httpServer.ts';
import { SseBridge } from './sseBridge.ts';
import { eventsOf, isSseAnswer, type SseServer } from './sseServer.ts';
import type { KnownEras, Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

/** Streams of the old transport at the same time; one more gets 503. */
export const maxSseSessions = 64;

/** Takes what an agent posts to its message endpoint. */
export interface SseSession {
  post(request: UpstreamRequest): Promise<UpstreamResponse>;
}

export class SseAgents implements Upstream {
  readonly kind: Upstream['kind'];
  readonly url?: string;
  readonly metadata?: NonNullable<Upstream['metadata']>;
  readonly #behind: Upstream;
  readonly #listener: Pick<HttpServer, 'sse'> | undefined;
  readonly #sessions = new Map<string, SseSession>();

  /** `listener`: the server itself, where it has a URL; it may turn out to speak the old transport. */
  constructor(behind: Upstream, listener?: Pick<HttpServer, 'sse' | 'url' | 'metadata'>) {
    this.kind = behind.kind;
    this.#behind = behind;
    this.#listener = listener;
    if (!listener) return;
    this.url = listener.url;
    this.metadata = (request) => listener.metadata(request);
  }

  check(signal: AbortSignal): Promise<KnownEras | void> {
    return this.#behind.check(signal);
  }

  onEvent(listener: (event: UpstreamEvent) => void): () => void {
    return this.#behind.onEvent(listener);
  }

  close(): Promise<void> {
    return this.#behind.close();
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    if (request.sseSession !== undefined) {
      return this.#sessions.get(request.sseSession)?.post(request) ?? refuse.unknownSession();
    }
    if (request.method !== 'GET' || !opensSse(request.headers)) return this.#behind.forward(request);
    const native = this.#listener?.sse;
    if (native) return this.#isFull ? tooMany() : this.#openNative(native, request);
    const answer = await this.#behind.forward(request);
    // A server may have a stream for whoever asks; one that has none says so with any of these.
    if (![400, 404, 405, 406].includes(answer.status)) return answer;
    answer.body?.destroy();
    return this.#isFull ? tooMany() : this.#openBridge(request);
  }

  get #isFull(): boolean {
    return this.#sessions.size >= maxSseSessions;
  }

  async #openNative(server: SseServer, request: UpstreamRequest): Promise<UpstreamResponse> {
    const answer = await server.open(request);
    if (!isSseAnswer(answer)) return answer;
    const id = randomUUID();
    const { 'content-length': _whole, ...headers } = answer.headers;
    const stream = Readable.from(this.#rewritten(id, request, server, answer.body!), { objectMode: false });
    stream.once('close', () => {
      this.#sessions.delete(id);
      answer.body!.destroy();
    });
    return { ...answer, headers, body: stream, sseSession: id, marks: ['endpoint'] };
  }

  async *#rewritten(
    id: string,
    request: UpstreamRequest,
    server: SseServer,
    body: Readable,
  ): AsyncGenerator<Uint8Array> {
    for await (const event of eventsOf(body)) {
      if (event.type !== 'endpoint') {
        yield event.raw;
        continue;
      }
      const endpoint = server.endpointIn(event);
      this.#sessions.set(id, { post: (message) => server.post(endpoint, message) });
      yield Buffer.from(formatSse({ type: 'endpoint', data: sseEndpoint(id, request.isSecretAddress) }));
    }
  }

  #openBridge(request: UpstreamRequest): UpstreamResponse {
    const id = randomUUID();
    const bridge = new SseBridge(this.#behind, request);
    this.#sessions.set(id, bridge);
    bridge.stream.once('close', () => {
      this.#sessions.delete(id);
      void bridge.end();
    });
    bridge.stream.write(formatSse({ type: 'endpoint', data: sseEndpoint(id, request.isSecretAddress) }));
    const { 'mcp-session-id': _none, ...headers } = sseAnswer(bridge.stream, id).headers;
    return { status: 200, headers, body: bridge.stream, sseSession: id, marks: ['endpoint'] };
  }
}

function tooMany(): UpstreamResponse {
  return refusal(503, 'as many streams of this transport as there may be are open', { code: rpcCode.limitReached });
}
