// A server at a URL, whichever transport it speaks: Streamable HTTP, or only the deprecated HTTP+SSE (2024-11-05). Which one
// is found out as clients do it, once: a URL that ends in /sse is asked for a stream first, any other when it does not know
// POST (MCP 2025-03-26, "Backwards Compatibility").
import { Emitter } from '../core/emitter.ts';
import type { Clock } from '../core/clock.ts';
import { HttpUpstream, type HttpUpstreamOptions } from './httpUpstream.ts';
import { ReturningUpstream, type ReturnLimits } from './returningUpstream.ts';
import { openSsePipe } from './ssePipe.ts';
import { eventsOf, isSseAnswer, SseServer } from './sseServer.ts';
import { StdioUpstream } from './stdioUpstream.ts';
import type { MetadataRequest, Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

/** How long a server may take to announce an endpoint before it is taken for one that will not. */
export const probeMs = 3_000;

type Spoken = { kind: 'unknown' } | { kind: 'streamable' } | { kind: 'sse'; pipes: StdioUpstream };

export class HttpServer implements Upstream {
  readonly kind = 'http';
  readonly url: string;
  readonly #listener: HttpUpstream;
  readonly #streamable: ReturningUpstream;
  readonly #sse: SseServer;
  readonly #clock: Clock;
  /** Its URL says so; asked once. */
  #looksLikeSse: boolean;
  readonly #events = new Emitter<UpstreamEvent>();
  #spoken: Spoken = { kind: 'unknown' };
  #finding: Promise<boolean> | undefined;

  constructor(options: HttpUpstreamOptions, limits: Partial<ReturnLimits> = {}) {
    this.url = options.url;
    this.#clock = options.clock;
    this.#listener = new HttpUpstream(options);
    this.#streamable = new ReturningUpstream(this.#listener, { clock: options.clock, limits });
    this.#streamable.onEvent((event) => this.#events.emit(event));
    this.#sse = new SseServer(this.#listener, options.url);
    this.#looksLikeSse = /\/sse\/?$/i.test(new URL(options.url).pathname);
  }

  /** The server, once it is known to speak only the old transport. */
  get sse(): SseServer | undefined {
    return this.#spoken.kind === 'sse' ? this.#sse : undefined;
  }

  async check(signal: AbortSignal): Promise<void> {
    await this.#listener.check(signal);
    if (this.#looksLikeSse) await this.#findSse(signal);
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    if (this.#spoken.kind === 'unknown' && this.#looksLikeSse) {
      await this.#findSse(request.signal);
      this.#looksLikeSse = false;
    }
    if (this.#spoken.kind === 'sse') return this.#spoken.pipes.forward(request);
    const answer = await this.#streamable.forward(request);
    if (this.#spoken.kind !== 'unknown' || request.method !== 'POST' || !begins(request)) return answer;
    if (answer.status !== 404 && answer.status !== 405) {
      if (answer.status < 300) this.#spoken = { kind: 'streamable' };
      return answer;
    }
    if (!(await this.#findSse(request.signal))) return answer;
    answer.body?.destroy();
    return this.forward(request);
  }

  metadata({ document, isOfEndpoint, ...request }: MetadataRequest): Promise<UpstreamResponse> {
    const path = isOfEndpoint ? new URL(this.url).pathname.replace(/\/$/, '') : '';
    const asked = { ...request, method: 'GET', messages: [], era: 'legacy' } as const;
    return this.#listener.forward(asked, `/.well-known/${document}${path}`);
  }

  onEvent(listener: (event: UpstreamEvent) => void): () => void {
    return this.#events.on(listener);
  }

  async close(): Promise<void> {
    if (this.#spoken.kind === 'sse') await this.#spoken.pipes.close();
    await this.#streamable.close();
  }

  /** Whether a GET is answered with a stream that announces a message endpoint. */
  #findSse(signal: AbortSignal): Promise<boolean> {
    this.#finding ??= this.#ask(signal).finally(() => (this.#finding = undefined));
    return this.#finding;
  }

  async #ask(signal: AbortSignal): Promise<boolean> {
    const left = new AbortController();
    const timer = this.#clock.after(probeMs, () => left.abort());
    const until = AbortSignal.any([signal, left.signal]);
    try {
      const request = {
        method: 'GET',
        headers: {},
        messages: [],
        era: 'legacy',
        principal: '',
        signal: until,
      } as const;
      const answer = await this.#sse.open(request);
      if (!isSseAnswer(answer) || !(await announces(answer))) return false;
      this.#becomeSse();
      return true;
    } catch {
      return false; // It has no stream, or none yet: Streamable HTTP will tell what is wrong.
    } finally {
      timer.cancel();
      left.abort();
    }
  }

  #becomeSse(): void {
    if (this.#spoken.kind === 'sse') return;
    const pipes = new StdioUpstream({
      command: '',
      args: [],
      env: {},
      cwd: '',
      clock: this.#clock,
      open: () => openSsePipe(this.#sse, this.#clock),
    });
    pipes.onEvent((event) => this.#events.emit(event));
    this.#spoken = { kind: 'sse', pipes };
  }
}

async function announces({ body }: UpstreamResponse): Promise<boolean> {
  for await (const { type, data } of eventsOf(body!)) {
    if (type === 'endpoint') return true;
    if (data !== '') return false; // Comments may come first, messages may not.
  }
  return false;
}

function begins({ messages }: UpstreamRequest): boolean {
  return messages.some((message) => message.kind === 'request' && message.method === 'initialize');
}
