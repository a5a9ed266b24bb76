// Single requests to a modern server: each says everything for itself, and its answer is a stream of notifications that
// ends with the result.
import { TunnelError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { memberText } from '../../mcp/jsonEdit.ts';
import type { TranslatedForm, Upstream } from '../upstream.ts';
import { refuseStatus } from './httpRefusal.ts';
import { carriedHeaders, postOf, spokenIn, type Spoken } from './spoken.ts';
import { headerParameters, modernHeaders, parameterHeaders, type HeaderParameter } from './modernHeaders.ts';
import { rpcCode } from '../../mcp/rpcErrors.ts';

/** Tools whose header parameters are remembered per session; of one more nothing is known until it is refused. */
export const maxKnownTools = 2_000;

export type Outcome = { kind: 'result'; result: string } | { kind: 'error'; error: string; status: number };

export type ModernAsk = {
  id: string;
  method: string;
  /** In modern form, as JSON text. */
  params: string;
  headers: Record<string, string>;
  signal: AbortSignal;
  note?: ((form: TranslatedForm) => void) | undefined;
  /** A notification that came with it. */
  onNotification: (spoken: Spoken) => Promise<void>;
};

export class ModernConversation {
  readonly #upstream: Upstream;
  readonly #principal: string;
  readonly #tools = new Map<string, readonly HeaderParameter[]>();

  constructor(upstream: Upstream, principal: string) {
    this.#upstream = upstream;
    this.#principal = principal;
  }

  /** Throws `UPSTREAM_*`, `LIMIT`, `CANCELLED`, and {@link HttpRefusal}. */
  async ask(ask: ModernAsk): Promise<Outcome> {
    const { id, method, params, headers, signal, note, onNotification } = ask;
    const text = messageText(id, method, params);
    note?.({ direction: 'agent-to-server', text });
    const values = JSON.parse(params) as JsonValue;
    const answer = await this.#upstream.forward(
      postOf(text, {
        era: 'modern',
        principal: this.#principal,
        signal,
        headers: {
          ...carriedHeaders(headers),
          ...modernHeaders(method, values),
          ...this.#argumentHeaders(method, values),
        },
      }),
    );
    refuseStatus(answer);
    for await (const spoken of spokenIn(answer)) {
      const { message } = spoken;
      note?.({ direction: 'server-to-agent', text: spoken.text });
      if (typeof message['method'] === 'string') {
        // A request has no place in an answer of this era (2026-07-28): nobody waits for its answer.
        if (message['id'] === undefined) await onNotification(spoken);
        continue;
      }
      if (message['id'] !== id && message['id'] !== null && message['id'] !== undefined) continue;
      const error = isJsonObject(message['error']) ? memberText(spoken.text, 'error') : undefined;
      if (error !== undefined) return { kind: 'error', error, status: answer.status };
      const result = isJsonObject(message['result']) ? memberText(spoken.text, 'result') : undefined;
      if (result === undefined) break;
      if (method === 'tools/list') this.#learn(message['result'] as JsonObject);
      return { kind: 'result', result };
    }
    signal.throwIfAborted();
    throw new TunnelError('UPSTREAM_PROTOCOL', `the server gave no answer to ${method} (HTTP ${answer.status})`);
  }

  /** A message that nobody answers. */
  async tell(method: string, params: string, headers: Record<string, string>, signal: AbortSignal): Promise<void> {
    const text = `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params}}`;
    const all = { ...carriedHeaders(headers), ...modernHeaders(method, JSON.parse(params) as JsonValue) };
    const answer = await this.#upstream.forward(
      postOf(text, { era: 'modern', principal: this.#principal, signal, headers: all }),
    );
    answer.body?.destroy();
  }

  /** Whether it was refused for a header that this side did not know of: then it was not carried out. */
  lacksHeaders(method: string, tool: JsonValue | undefined, outcome: Outcome): boolean {
    if (method !== 'tools/call' || outcome.kind !== 'error' || outcome.status !== 400) return false;
    const { code } = JSON.parse(outcome.error) as { code?: unknown };
    return code === rpcCode.headerMismatch && typeof tool === 'string' && !this.#tools.has(tool);
  }

  #argumentHeaders(method: string, params: JsonValue): Record<string, string> {
    if (method !== 'tools/call' || !isJsonObject(params) || typeof params['name'] !== 'string') return {};
    const known = this.#tools.get(params['name']);
    return known && isJsonObject(params['arguments']) ? parameterHeaders(known, params['arguments']) : {};
  }

  #learn({ tools }: JsonObject): void {
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      if (!isJsonObject(tool) || typeof tool['name'] !== 'string') continue;
      if (this.#tools.size >= maxKnownTools && !this.#tools.has(tool['name'])) continue;
      this.#tools.set(tool['name'], headerParameters(tool['inputSchema']));
    }
  }
}

export function messageText(id: string | number, method: string, params: string | undefined): string {
  const rest = params === undefined ? '' : `,"params":${params}`;
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)}${rest}}`;
}
