// What has to be said again to a server that came back without its sessions: an agent's `initialize`, its subscriptions
// and log level. And what the agent is then told, because it holds lists of a server that is no more.
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RpcMessage } from '../mcp/message.ts';

/** Subscriptions remembered per session; of more, the oldest are not made again. */
export const maxSubscriptions = 256;

/** The session at the server: there, perhaps without an id, or gone with the server it was in. */
export type Counterpart = { kind: 'live'; id: string | undefined } | { kind: 'gone' };

export class HttpSession {
  /** The id the agent knows: the one its first server gave it. */
  readonly id: string;
  /** The agent's `initialize`, as it wrote it. */
  readonly initialize: Buffer;
  counterpart: Counterpart;
  /** When its server was first found away; milliseconds since the epoch. */
  awaySinceMs: number | undefined;
  /** How often it was begun anew. */
  returns = 0;
  /** One at a time: whoever finds it gone waits for the same. */
  returning: Promise<boolean> | undefined;
  #initialized = false;
  #logLevel: string | undefined;
  #owed: string[] = [];
  readonly #subscriptions = new Set<string>();

  constructor(id: string, initialize: Buffer) {
    this.id = id;
    this.initialize = initialize;
    this.counterpart = { kind: 'live', id };
  }

  /** Looks at what the agent sent and the server took. */
  note(messages: readonly RpcMessage[]): void {
    for (const message of messages) {
      if (message.kind !== 'request' && message.kind !== 'notification') continue;
      const params = isJsonObject(message.params) ? message.params : {};
      const { uri, level } = params;
      if (message.method === 'notifications/initialized') this.#initialized = true;
      else if (message.method === 'logging/setLevel' && typeof level === 'string') this.#logLevel = level;
      else if (message.method === 'resources/unsubscribe' && typeof uri === 'string') this.#subscriptions.delete(uri);
      else if (message.method === 'resources/subscribe' && typeof uri === 'string') this.#subscribe(uri);
    }
  }

  /** What follows `initialize`, in order; ids are of no consequence in a session that has just begun. */
  sayAgain(): string[] {
    const said: string[] = [];
    if (this.#initialized) said.push(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
    const call = (method: string, params: JsonObject): void => {
      said.push(JSON.stringify({ jsonrpc: '2.0', id: `again-${said.length}`, method, params }));
    };
    if (this.#logLevel !== undefined) call('logging/setLevel', { level: this.#logLevel });
    for (const uri of this.#subscriptions) call('resources/subscribe', { uri });
    return said;
  }

  /** It has begun anew, at a server with these capabilities. */
  returned(id: string | undefined, capabilities: JsonObject): void {
    this.counterpart = { kind: 'live', id };
    this.returns += 1;
    this.#owed = ['tools', 'prompts', 'resources']
      .filter((list) => isJsonObject(capabilities[list]))
      .map((list) => JSON.stringify({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` }));
  }

  /** What the agent is to be told on its stream, once. */
  takeOwed(): string[] {
    return this.#owed.splice(0);
  }

  #subscribe(uri: string): void {
    this.#subscriptions.add(uri);
    if (this.#subscriptions.size > maxSubscriptions) {
      this.#subscriptions.delete(this.#subscriptions.values().next().value!);
    }
  }
}
