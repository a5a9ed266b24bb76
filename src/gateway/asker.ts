// Speaks to a server as a client of either era does, for its owner: in a session of its own, which is ended after.
// Servers of the modern era alone refuse `initialize`, and are asked without a session (2026-07-28, "Statelessness").
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { SseReader } from '../core/sse.ts';
import { failed } from '../mcp/failures.ts';
import type { Era } from '../mcp/message.ts';
import { legacyRevisions, metaKey, modernRevision } from '../mcp/revisions.ts';
import type { Upstream, UpstreamResponse } from '../upstream/upstream.ts';

/** Largest answer; a larger one is refused. */
export const maxAnswerBytes = 16 * 1024 * 1024;
/** How long the end of the session may take before it is left to the server. */
const endTimeoutMs = 2_000;

/** Whose call it is, for the upstream and the audit log. */
export const owner = { id: 'owner', name: 'owner', grant: '' } as const;

/** What a server says when it is greeted; nothing is known of one that refused `initialize`. */
export type Greeting = { era: Era; revision: string; result?: JsonObject };

export type Answer = { result?: JsonValue; error?: JsonValue };

export type Answered = { answer: Answer | undefined; headers: Record<string, string>; status: number };

export type AskerOptions = {
  upstream: Upstream;
  signal: AbortSignal;
  /** Of all answers together; beyond it every further one is refused. */
  maxTotalBytes?: number;
};

export class Asker {
  readonly #upstream: Upstream;
  readonly #signal: AbortSignal;
  #bytesLeft: number;
  #era: Era = 'legacy';
  #version = legacyRevisions[0]!;
  #session: string | undefined;
  /** Whether the server has agreed to the version. */
  #isBegun = false;
  #lastId = 0;

  constructor({ upstream, signal, maxTotalBytes = Infinity }: AskerOptions) {
    this.#upstream = upstream;
    this.#signal = signal;
    this.#bytesLeft = maxTotalBytes;
  }

  /** Throws `UPSTREAM_*` for a server that lets nobody ask. */
  async begin(): Promise<Greeting> {
    const clientInfo = { name: 'mcp-tunnel', version: '0' };
    const params = { protocolVersion: this.#version, capabilities: {}, clientInfo };
    const { answer, headers, status } = await this.request('initialize', params);
    const { result } = answer ?? {};
    this.#isBegun = true;
    if (!isJsonObject(result) || typeof result['protocolVersion'] !== 'string') {
      if (status === 401 || status === 403) throw failed('NOT_MCP', `the server refused to be asked (HTTP ${status})`);
      this.#era = 'modern';
      this.#version = modernRevision;
      return { era: this.#era, revision: this.#version };
    }
    this.#version = result['protocolVersion'];
    this.#session = headers['mcp-session-id'];
    const done = await this.#post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    done.body?.destroy();
    return { era: this.#era, revision: this.#version, result };
  }

  async request(method: string, params: JsonObject): Promise<Answered> {
    this.#lastId += 1;
    const id = this.#lastId;
    const meta = { [metaKey.protocolVersion]: this.#version, [metaKey.clientCapabilities]: {} };
    const all = this.#era === 'modern' ? { ...params, _meta: meta } : params;
    const response = await this.#post({ jsonrpc: '2.0', id, method, params: all }, id);
    const { headers, status } = response;
    const most = Math.min(maxAnswerBytes, this.#bytesLeft);
    const reading = {
      id,
      signal: this.#signal,
      maxBytes: most,
      onBytes: (bytes: number) => (this.#bytesLeft -= bytes),
    };
    return { answer: await readAnswer(response, reading), headers, status };
  }

  /** Never throws: what cannot be ended is the server's to forget. */
  async end(clock: Clock): Promise<void> {
    const sessionId = this.#session;
    if (sessionId === undefined) return;
    const late = new AbortController();
    const timer = clock.after(endTimeoutMs, () => late.abort());
    try {
      const headers = { ...this.#headers(), 'mcp-session-id': sessionId };
      const answer = await this.#upstream.forward({
        ...this.#about(late.signal),
        method: 'DELETE',
        headers,
        messages: [],
      });
      answer.body?.destroy();
    } catch {
      // It has ended or does not answer: its session goes with it.
    } finally {
      timer.cancel();
    }
  }

  #post(message: JsonObject, id?: number): Promise<UpstreamResponse> {
    const { method = '', params } = message as { method?: string; params?: JsonObject };
    const kind = id === undefined ? { kind: 'notification' as const } : { kind: 'request' as const, id };
    const modern = this.#era === 'modern' ? { 'mcp-method': method } : {};
    return this.#upstream.forward({
      ...this.#about(this.#signal),
      method: 'POST',
      headers: { ...this.#headers(), ...modern, 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(message)),
      messages: [{ ...kind, method, params }],
    });
  }

  #headers(): Record<string, string> {
    const session = this.#session === undefined ? {} : { 'mcp-session-id': this.#session };
    const version = this.#isBegun ? { 'mcp-protocol-version': this.#version } : {};
    return { accept: 'application/json, text/event-stream', ...version, ...session };
  }

  #about(signal: AbortSignal): { era: Era; principal: string; signal: AbortSignal; sessionId?: string } {
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    return { era: this.#era, principal: owner.id, signal, ...session };
  }
}

/** What a server said instead of an answer, in one short sentence. */
export function refusalIn({ answer, status }: Pick<Answered, 'answer' | 'status'>): string {
  const { error } = answer ?? {};
  const said = isJsonObject(error) && typeof error['message'] === 'string' ? error['message'] : `HTTP ${status}`;
  return said.slice(0, 200);
}

type Reading = { id: number; signal: AbortSignal; maxBytes: number; onBytes: (bytes: number) => void };

/** The answer to `id`, alone or among the events of a stream; `undefined` where there is none. */
async function readAnswer(
  { headers, body }: UpstreamResponse,
  { id, signal, maxBytes, onBytes }: Reading,
): Promise<Answer | undefined> {
  if (!body) return undefined;
  const stop = (): void => void body.destroy(new TunnelError('CANCELLED', 'nobody waits for the answer'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw failed('NOT_MCP', `the server’s answer is larger than ${maxBytes} bytes`);
      yield chunk;
    }
  };
  try {
    const isStream = /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
    return isStream ? await fromEvents(counted(), id) : answerIn(await textOf(counted()), id);
  } finally {
    onBytes(bytes);
    signal.removeEventListener('abort', stop);
    body.destroy();
  }
}

async function fromEvents(body: AsyncIterable<Buffer>, id: number): Promise<Answer | undefined> {
  let answer: Answer | undefined;
  const reader = new SseReader({
    maxEventBytes: maxAnswerBytes,
    onEvent: ({ data }) => (answer ??= data === '' ? undefined : answerIn(data, id)),
    onOverlong: () => {},
  });
  for await (const chunk of body) {
    reader.push(chunk);
    if (answer) return answer;
  }
  return undefined;
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function answerIn(text: string, id: number): Answer | undefined {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return undefined; // Not JSON: not the answer.
  }
  return isJsonObject(value) && (value['id'] === id || value['id'] === null) && !('method' in value)
    ? value
    : undefined;
}
