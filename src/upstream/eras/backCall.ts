// One call to a legacy server on behalf of a modern agent. What the server asks in the middle of it ends the agent's
// request with `input_required`; the call itself stays open until the agent comes back with the answers.
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { TunnelError } from '../../core/errors.ts';
import { memberText, withMembers } from '../../mcp/jsonEdit.ts';
import { logLevels, metaKey } from '../../mcp/revisions.ts';
import { rpcCode } from '../../mcp/rpcErrors.ts';
import type { TranslatedForm } from '../upstream.ts';
import { modernError } from './errorForms.ts';
import type { ModernOutlet } from './modernOutlet.ts';
import { modernResult } from './resultForms.ts';
import type { Spoken } from './spoken.ts';

/** Notifications kept while nobody listens to the call; older ones are forgotten, and long ones are not kept. */
export const maxKeptNotifications = 100;
const maxKeptNotificationLength = 16_384;

/** Questions of one call that wait for its agent; of one more the server hears that nobody can be asked. */
export const maxQuestions = 32;

/** Characters of an answer that is kept until its agent comes back; of a longer one the agent hears that it is gone. */
export const maxKeptAnswerLength = 4 * 1024 * 1024;

type Answer = { text: string; status: number } | { error: TunnelError };

/** A question of the server: its id as it was written, and what it asks. */
export type Question = { id: string; method: string; text: string };

export type BackCallOptions = {
  /** The id towards the server; also its progress token. */
  id: number;
  method: string;
  /** Params of the agent, as values. */
  params: JsonObject;
  binding: string;
  serverInfo: string | undefined;
  outlet: ModernOutlet;
  /** The agent's own id, as JSON text. */
  agentId: string;
  note: ((form: TranslatedForm) => void) | undefined;
  /** The `requestState` under which it waits from now on. */
  hold: (call: BackCall) => string;
};

export type Resumption = Pick<BackCallOptions, 'outlet' | 'agentId' | 'note'> & { answered: Iterable<string> };

export class BackCall {
  readonly id: number;
  readonly method: string;
  readonly binding: string;
  readonly controller = new AbortController();
  /** Raised with each time that it waits, so that each state is good for one retry. */
  round = 0;
  readonly #options: BackCallOptions;
  readonly #questions = new Map<string, Question>();
  readonly #kept: string[] = [];
  readonly #progressToken: string | undefined;
  readonly #level: number;
  #outlet: ModernOutlet | undefined;
  #agentId: string;
  #note: BackCallOptions['note'];
  /** Came while nobody listened. */
  #answer: Answer | undefined;
  #asked = 0;
  /** Under which it waits; given when it does so for the first time. */
  name: string | undefined;

  constructor(options: BackCallOptions) {
    this.id = options.id;
    this.method = options.method;
    this.binding = options.binding;
    this.#options = options;
    this.#outlet = options.outlet;
    this.#agentId = options.agentId;
    this.#note = options.note;
    const meta = (options.params['_meta'] ?? {}) as JsonObject;
    this.#progressToken = meta['progressToken'] === undefined ? undefined : JSON.stringify(meta['progressToken']);
    this.#level = levelOf(meta[metaKey.logLevel]);
  }

  get agentId(): string {
    return this.#agentId;
  }

  get wantsProgress(): boolean {
    return this.#progressToken !== undefined;
  }

  /** Whether the agent asked for log messages of this level with this call. */
  wantsLog(level: JsonValue | undefined): boolean {
    return this.#level >= 0 && levelOf(level) >= this.#level;
  }

  get questions(): ReadonlyMap<string, Question> {
    return this.#questions;
  }

  noteSent(text: string): void {
    this.#note?.({ direction: 'agent-to-server', text });
  }

  heard({ text }: Spoken): void {
    this.#note?.({ direction: 'server-to-agent', text });
  }

  progress(text: string): Promise<void> {
    if (this.#progressToken === undefined) return Promise.resolve();
    const params = withMembers(memberText(text, 'params') ?? '{}', { progressToken: this.#progressToken });
    return this.notification(withMembers(text, { params }));
  }

  async notification(text: string): Promise<void> {
    if (this.#outlet) return this.#outlet.notification(text);
    if (text.length > maxKeptNotificationLength) return;
    this.#kept.push(text);
    if (this.#kept.length > maxKeptNotifications) this.#kept.shift();
  }

  /** The server asks; the agent hears of it with the next answer. */
  ask(question: Question): void {
    this.#asked += 1;
    this.#questions.set(`${question.method.split('/', 1)[0]}-${this.#asked}`, question);
    this.#sendQuestions();
  }

  /** The server does not want to know any more. */
  withdraw(id: string): void {
    for (const [key, question] of this.#questions) if (question.id === id) this.#questions.delete(key);
  }

  /** The agent is back; `answered` are keys whose answers are on their way to the server. */
  resume({ outlet, agentId, note, answered }: Resumption): void {
    this.#agentId = agentId;
    this.#note = note;
    for (const key of answered) this.#questions.delete(key);
    for (const text of this.#kept.splice(0)) void outlet.notification(text);
    this.#outlet = outlet;
    if (this.#answer) this.#give(this.#answer);
    else if (this.#questions.size > 0) this.#sendQuestions();
  }

  /** The server's answer to the call. */
  answer({ text, message }: Spoken): void {
    const error = message['error'] === undefined ? undefined : memberText(text, 'error');
    if (error !== undefined) {
      const isUnknown = (message['error'] as { code?: unknown } | null)?.code === rpcCode.methodNotFound;
      return this.#give({ text: `"error":${modernError(error)}`, status: isUnknown ? 404 : 200 });
    }
    const result = memberText(text, 'result') ?? '{}';
    this.#give({ text: `"result":${modernResult(this.method, result, this.#options.serverInfo)}`, status: 200 });
  }

  fail(error: TunnelError): void {
    this.#give({ error });
  }

  #sendQuestions(): void {
    if (!this.#outlet) return;
    const requests = [...this.#questions].map(([key, { method, text }]) => {
      const params = memberText(text, 'params');
      const rest = params === undefined ? '' : `,"params":${params}`;
      return `${JSON.stringify(key)}:{"method":${JSON.stringify(method)}${rest}}`;
    });
    const state = JSON.stringify(this.#options.hold(this));
    const asks = `{"resultType":"input_required","inputRequests":{${requests.join(',')}},"requestState":${state}}`;
    this.#give({ text: `"result":${modernResult(this.method, asks, this.#options.serverInfo)}`, status: 200 });
  }

  #give(answer: Answer): void {
    const outlet = this.#outlet;
    this.#outlet = undefined;
    if (!outlet) this.#answer ??= kept(answer);
    else if ('error' in answer) outlet.fail(answer.error);
    else outlet.finish(`{"jsonrpc":"2.0","id":${this.#agentId},${answer.text}}`, answer.status);
  }
}

function kept(answer: Answer): Answer {
  if ('error' in answer || answer.text.length <= maxKeptAnswerLength) return answer;
  return { error: new TunnelError('LIMIT', `an answer of ${answer.text.length} characters waited for its agent`) };
}

/** -1 where it is no level. */
function levelOf(level: JsonValue | undefined): number {
  return typeof level === 'string' ? logLevels.indexOf(level) : -1;
}
