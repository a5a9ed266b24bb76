// Looks at a copy of what the upstream says while the bytes pass: tells the traffic log how the exchange went, learns
// tools and sessions, and opens a row of its own for each request the server makes of the agent.
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { ExchangeStatus } from '../mcp/exchange.ts';
import { markOf, type FailureMark } from '../mcp/failures.ts';
import type { RpcId } from '../mcp/message.ts';
import type { ExchangeRecorder } from '../traffic/exchangeRecorder.ts';
import type { ServerRequests } from './serverRequests.ts';
import type { ToolCatalogue } from './toolCatalogue.ts';

/** Answers larger than this are not parsed for their status; the row says `truncated`. */
export const maxObservedBytes = 1_048_576;

export type ObserverOptions = {
  recorder: ExchangeRecorder;
  /** Ids of the requests this answer belongs to; empty for a GET stream. */
  requests: ReadonlyMap<RpcId, string>;
  catalogue: ToolCatalogue;
  serverRequests: ServerRequests;
  /** Somebody else's call was answered here. */
  onAnswer?: (id: RpcId, text: string) => void;
};

export type AnswerOutcome = {
  status: ExchangeStatus;
  rpcCode?: number | undefined;
  reason?: string | undefined;
  failure?: FailureMark | undefined;
};

export class AnswerObserver {
  /** The session it belongs to, once that is known. */
  session: string | undefined;
  readonly #options: ObserverOptions;
  #status: ExchangeStatus | undefined;
  #rpcCode: number | undefined;
  #reason: string | undefined;
  readonly #answered = new Set<RpcId>();

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** One message as the upstream wrote it. */
  message(text: string, eventId?: string): void {
    this.#options.recorder.message('server-to-agent', text, eventId);
    if (text.length > maxObservedBytes) {
      this.#options.recorder.flag('truncated');
      return;
    }
    const value = parsed(text);
    for (const message of Array.isArray(value) ? value : [value]) {
      if (isJsonObject(message)) this.#look(message, text);
    }
  }

  /** Requests of this exchange that the server has not answered yet. */
  get unanswered(): RpcId[] {
    return [...this.#options.requests.keys()].filter((id) => !this.#answered.has(id));
  }

  /** How the exchange went, judged by the last answer seen and, without one, by the HTTP status. */
  outcome(httpStatus: number): AnswerOutcome {
    const status = this.#status ?? (httpStatus >= 400 ? 'error' : 'ok');
    const failure = httpStatus < 400 ? undefined : markOf('TARGET_HTTP');
    return { status, rpcCode: this.#rpcCode, reason: this.#reason, failure };
  }

  #look(message: JsonObject, text: string): void {
    const { id, method, result, error } = message;
    if (typeof method === 'string') {
      if (id === undefined || id === null) return;
      this.#options.serverRequests.opened(this.session, id as RpcId, method, text);
      return;
    }
    const asked = isId(id) ? this.#options.requests.get(id) : undefined;
    if (isId(id)) {
      this.#answered.add(id);
      if (asked === undefined) this.#options.onAnswer?.(id, text);
    }
    if (isJsonObject(error)) {
      this.#status = 'error';
      this.#rpcCode = typeof error['code'] === 'number' ? error['code'] : undefined;
      this.#reason = typeof error['message'] === 'string' ? error['message'].slice(0, 500) : undefined;
    } else if (isJsonObject(result)) {
      if (this.#status === undefined || this.#status === 'ok') {
        this.#status = result['isError'] === true ? 'tool-error' : 'ok';
      }
      if (asked === 'tools/list') this.#options.catalogue.learn(result['tools']);
    }
  }
}

function isId(id: JsonValue | undefined): id is RpcId {
  return typeof id === 'string' || typeof id === 'number';
}

function parsed(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined; // The agent gets the bytes as they are; what they mean is its business.
  }
}
