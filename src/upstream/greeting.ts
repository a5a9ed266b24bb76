// What an agent told its server that the next process of that server has to be told as well: `initialize`, the log
// level, subscriptions. And whether that next process is still the server the agent agreed with.
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RpcId, RpcMessage } from '../mcp/message.ts';
import type { ChildAnswer } from './childMessage.ts';
import type { Ask } from './serverLife.ts';

/** Subscriptions kept, and requests for them without an answer; of more, the oldest is not made again. */
export const maxKeptSubscriptions = 1_000;

type Line = { id: RpcId; bytes: Uint8Array };

const LISTS = ['tools', 'prompts', 'resources'] as const;

export class Greeting {
  #initialize: (Line & { result: JsonObject }) | undefined;
  #initialized: Uint8Array | undefined;
  /** What the process that is gone had been told; what was said since waits and will be sent by itself. */
  #told: Uint8Array | undefined;
  #level: Line | undefined;
  readonly #subscriptions = new Map<string, Line>();
  /** What becomes true with a good answer to this id. */
  readonly #asked = new Map<RpcId, () => void>();

  /** The server accepted `initialize`. */
  began(id: RpcId, bytes: Uint8Array, { result }: ChildAnswer): void {
    this.#initialize = { id, bytes, result };
  }

  /** `bytes` are what the server was sent, under the `id` it knows. */
  sent(message: RpcMessage, bytes: Uint8Array, id?: RpcId): void {
    if (message.kind === 'notification' && message.method === 'notifications/initialized') this.#initialized = bytes;
    if (message.kind !== 'request') return;
    const line = { id: id ?? message.id, bytes };
    const uri = isJsonObject(message.params) ? message.params['uri'] : undefined;
    if (message.method === 'logging/setLevel') this.#ask(line, () => (this.#level = line));
    if (typeof uri !== 'string') return;
    if (message.method === 'resources/subscribe') this.#ask(line, () => this.#subscribe(uri, line));
    if (message.method === 'resources/unsubscribe') this.#ask(line, () => this.#subscriptions.delete(uri));
  }

  answered({ id, code }: ChildAnswer): void {
    if (id === null) return;
    const apply = this.#asked.get(id);
    this.#asked.delete(id);
    if (code === undefined) apply?.();
  }

  /** The process is gone; what was under way has no answer any more. */
  interrupted(): void {
    this.#told = this.#initialized;
    this.#asked.clear();
  }

  /** Says it all to a new process. Returns in what it differs from the one that was agreed with; throws with `ask`. */
  async repeat(ask: Ask, say: (bytes: Uint8Array) => void): Promise<string | undefined> {
    if (!this.#initialize) return undefined;
    const { id, bytes, result } = this.#initialize;
    const answer = await ask(id, bytes);
    if (answer.code !== undefined) return 'no longer accepts what it was begun with';
    const difference = differs(result, answer.result);
    if (difference !== undefined) return difference;
    if (!this.#told) return undefined;
    say(this.#told);
    // A resource that is gone has no subscription: the agent hears of the changed list.
    for (const line of [this.#level, ...this.#subscriptions.values()]) if (line) await ask(line.id, line.bytes);
    return undefined;
  }

  /** For what the agent may have listed before: what it holds may be out of date. */
  listChanges(): string[] {
    const capabilities = this.#initialize?.result['capabilities'];
    if (!isJsonObject(capabilities) || !this.#told) return [];
    return LISTS.filter((list) => isJsonObject(capabilities[list]) && capabilities[list]['listChanged'] === true).map(
      (list) => JSON.stringify({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` }),
    );
  }

  /** What is withdrawn is perhaps never answered. */
  #ask({ id }: Line, whenAnswered: () => void): void {
    this.#asked.set(id, whenAnswered);
    if (this.#asked.size > maxKeptSubscriptions) this.#asked.delete(this.#asked.keys().next().value!);
  }

  #subscribe(uri: string, line: Line): void {
    this.#subscriptions.set(uri, line);
    if (this.#subscriptions.size > maxKeptSubscriptions) {
      this.#subscriptions.delete(this.#subscriptions.keys().next().value!);
    }
  }
}

/** Why what was agreed on with `before` does not hold with `after`; more than before is no reason. */
function differs(before: JsonObject, after: JsonObject): string | undefined {
  if (before['protocolVersion'] !== after['protocolVersion']) {
    return `speaks revision ${JSON.stringify(after['protocolVersion'])} instead of ${JSON.stringify(before['protocolVersion'])}`;
  }
  const had = isJsonObject(before['capabilities']) ? before['capabilities'] : {};
  const has = isJsonObject(after['capabilities']) ? after['capabilities'] : {};
  const lost = Object.keys(had).find((name) => !Object.hasOwn(has, name));
  return lost === undefined ? undefined : `has lost the capability “${lost}”`;
}
