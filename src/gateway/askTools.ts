// Asks the server itself for its tools, for its owner who writes rules: in a session of its own, which is ended after.
// Servers of the modern era alone refuse `initialize`, and are asked without a session (2026-07-28, "Statelessness").
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { SseReader } from '../core/sse.ts';
import { protocolVersionKey } from '../mcp/classify.ts';
import { failed } from '../mcp/failures.ts';
import type { Era } from '../mcp/message.ts';
import type { Upstream, UpstreamResponse } from '../upstream/upstream.ts';
import { maxTools } from './toolCatalogue.ts';

/** All pages together; a server that needs longer has failed to answer. */
export const askTimeoutMs = 10_000;
/** Pages asked for; what a server still has behind them is left out. */
export const maxPages = 100;
/** Largest answer; a larger one is refused. */
export const maxAnswerBytes = 16 * 1024 * 1024;
/** How long the end of the session may take before it is left to the server. */
const endTimeoutMs = 2_000;

/** Whose call it is, for the upstream and the audit log. */
export const owner = { id: 'owner', name: 'owner', grant: '' } as const;

export type ListedTool = JsonObject & { name: string };

/** `hasPrompts`: the server says that it has prompts, or nobody knows. */
export type ServerTools = { tools: ListedTool[]; hasPrompts: boolean };

/** Throws `UPSTREAM_*`, or `CANCELLED` when `signal` is aborted. */
export async function askTools(upstream: Upstream, clock: Clock, signal: AbortSignal): Promise<ServerTools> {
  const late = new AbortController();
  const timer = clock.after(askTimeoutMs, () => late.abort());
  const asker = new Asker(upstream, AbortSignal.any([signal, late.signal]));
  try {
    const hasPrompts = await asker.begin();
    return { tools: await asker.allTools(), hasPrompts };
  } catch (error) {
    if (signal.aborted) throw new TunnelError('CANCELLED', 'the tunnel was closed while its server was asked');
    if (!late.signal.aborted) throw error;
    throw failed('ANSWER_TIMEOUT', `the server did not list its tools within ${askTimeoutMs / 1_000} s`, error);
  } finally {
    timer.cancel();
    await asker.end(clock);
  }
}

type Answer = { result?: JsonValue; error?: JsonValue };

class Asker {
  readonly #upstream: Upstream;
  readonly #signal: AbortSignal;
  #era: Era = 'legacy';
  #version = '2025-11-25';
  #session: string | undefined;
  /** Whether the server has agreed to the version. */
  #isBegun = false;
  #lastId = 0;

  constructor(upstream: Upstream, signal: AbortSignal) {
    this.#upstream = upstream;
    this.#signal = signal;
  }

  /** Whether the server may have prompts. */
  async begin(): Promise<boolean> {
    const clientInfo = { name: 'mcp-tunnel', version: '0' };
    const params = { protocolVersion: this.#version, capabilities: {}, clientInfo };
    const { answer, headers, status } = await this.#request('initialize', params);
    const { result } = answer ?? {};
    if (!isJsonObject(result) || typeof result['protocolVersion'] !== 'string') {
      if (status === 401 || status === 403) throw failed('NOT_MCP', `the server refused to be asked (HTTP ${status})`);
      this.#era = 'modern';
      this.#version = '2026-07-28';
      this.#isBegun = true;
      return true;
    }
    this.#version = result['protocolVersion'];
    this.#isBegun = true;
    this.#session = headers['mcp-session-id'];
    const done = await this.#post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    done.body?.destroy();
    const capabilities = result['capabilities'];
    return isJsonObject(capabilities) && capabilities['prompts'] !== undefined;
  }

  async allTools(): Promise<ListedTool[]> {
    const tools: ListedTool[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < maxPages && tools.length < maxTools; page += 1) {
      const result = await this.#list(cursor === undefined ? {} : { cursor });
      const listed = result['tools'];
      if (!Array.isArray(listed)) throw failed('NOT_MCP', 'the server answered tools/list without a list of tools');
      tools.push(
        ...listed.filter((tool): tool is ListedTool => isJsonObject(tool) && typeof tool['name'] === 'string'),
      );
      const next = result['nextCursor'];
      if (typeof next !== 'string') break;
      cursor = next;
    }
    return tools.slice(0, maxTools);
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

  async #list(params: JsonObject): Promise<JsonObject> {
    const { answer, status } = await this.#request('tools/list', params);
    const { result, error } = answer ?? {};
    if (isJsonObject(result)) return result;
    const said = isJsonObject(error) && typeof error['message'] === 'string' ? error['message'] : `HTTP ${status}`;
    throw failed('NOT_MCP', `the server did not list its tools: ${said.slice(0, 200)}`);
  }

  async #request(
    method: string,
    params: JsonObject,
  ): Promise<{ answer: Answer | undefined; headers: Record<string, string>; status: number }> {
    this.#lastId += 1;
    const id = this.#lastId;
    const meta = { [protocolVersionKey]: this.#version, 'io.modelcontextprotocol/clientCapabilities': {} };
    const all = this.#era === 'modern' ? { ...params, _meta: meta } : params;
    const response = await this.#post({ jsonrpc: '2.0', id, method, params: all }, id);
    const { headers, status } = response;
    return { answer: await readAnswer(response, id, this.#signal), headers, status };
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

/** The answer to `id`, alone or among the events of a stream; `undefined` where there is none. */
async function readAnswer(
  { headers, body }: UpstreamResponse,
  id: number,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  if (!body) return undefined;
  const stop = (): void => void body.destroy(new TunnelError('CANCELLED', 'nobody waits for the answer'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const isStream = /^text\/event-stream\b/i.test(headers['content-type'] ?? '');
    return isStream ? await fromEvents(body, id) : answerIn(await textOf(body), id);
  } finally {
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
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) throw failed('NOT_MCP', `the server’s answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
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
