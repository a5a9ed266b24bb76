// A server that speaks only HTTP+SSE (MCP 2024-11-05): a GET opens a stream, whose first event says where messages are to be
// posted; everything the server says comes on that stream.
import { failed } from '../mcp/failures.ts';
import { SseReader, type SseEvent } from '../core/sse.ts';
import type { HttpUpstream } from './httpUpstream.ts';
import { isEventStream } from './firstAnswer.ts';
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts';

/** Largest event of such a stream; a larger one ends it. */
export const maxSseEventBytes = 64 * 1024 * 1024;

export class SseServer {
  readonly #server: HttpUpstream;
  readonly #url: URL;

  constructor(server: HttpUpstream, url: string) {
    this.#server = server;
    this.#url = new URL(url);
  }

  /** Opens a stream. An answer that is none is for the caller to pass on. */
  open(request: UpstreamRequest): Promise<UpstreamResponse> {
    const headers = { ...request.headers, accept: 'text/event-stream' };
    return this.#server.forward({ ...request, method: 'GET', headers });
  }

  /** `endpoint` as {@link SseServer.endpointIn} gave it. */
  post(endpoint: string, request: UpstreamRequest): Promise<UpstreamResponse> {
    return this.#server.forward({ ...request, method: 'POST' }, endpoint);
  }

  /** Path and query of an announced endpoint. Throws `UPSTREAM_PROTOCOL` for one that is not at this server. */
  endpointIn({ data }: SseEvent): string {
    const url = URL.canParse(data, this.#url.href) ? new URL(data, this.#url) : undefined;
    if (url?.origin !== this.#url.origin) {
      throw failed('NOT_MCP', `${this.#url.origin} announced a message endpoint that is not its own`);
    }
    return url.pathname + url.search;
  }
}

export function isSseAnswer({ status, headers, body }: UpstreamResponse): boolean {
  return status === 200 && body !== undefined && isEventStream(headers);
}

/** The events of a stream, each when it is whole; what never ends is dropped with the end. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<SseEvent> {
  const events: SseEvent[] = [];
  const reader = new SseReader({ maxEventBytes: maxSseEventBytes, onEvent: (event) => events.push(event) });
  for await (const chunk of body) {
    reader.push(chunk);
    yield* events.splice(0);
  }
}
