// Ids of the requests that a server makes of an agent. The first process keeps its own; one that was started again
// counts from the beginning, and its ids would be taken for those of the process before: they are made unique.
import { isJsonObject } from '../core/json.ts';
import { isId } from '../mcp/classify.ts';
import type { RpcId, RpcMessage } from '../mcp/message.ts';
import type { ChildMessage } from './childMessage.ts';
import { splice, textAt } from './jsonSplice.ts';

/** Requests that may wait for an agent; of more, the oldest loses its answer. */
export const maxWaitingRequests = 1_000;

export class ServerRequestIds {
  /** What the agent knows, and what the server wrote. */
  readonly #waiting = new Map<RpcId, string>();
  #generation = 0;
  #count = 0;

  /** Another process is there: what the one before asked needs no answer. */
  renew(): void {
    this.#waiting.clear();
    this.#generation += 1;
  }

  /** A message of the server as the agent may have it. */
  toAgent(message: ChildMessage): ChildMessage {
    if (message.kind === 'request') return this.#asked(message);
    if (this.#generation === 0 || message.kind !== 'notification') return message;
    if (message.method !== 'notifications/cancelled') return message;
    const text = textAt(message.bytes, ['params', 'requestId']);
    const known = [...this.#waiting].find(([, theirs]) => theirs === text)?.[0];
    if (known === undefined) return message;
    const value = JSON.stringify(known);
    return { ...message, bytes: splice(message.bytes, [{ path: ['params', 'requestId'], value }]) };
  }

  /** A message of the agent as the server may have it; `undefined` for an answer to what nobody asks any more. */
  toServer(message: RpcMessage, bytes: Uint8Array): Uint8Array | undefined {
    if (message.kind === 'notification' || message.kind === 'request') return bytes;
    const id = message.id ?? undefined;
    const theirs = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || theirs === undefined) return this.#generation === 0 ? bytes : undefined;
    this.#waiting.delete(id);
    return this.#generation === 0 ? bytes : splice(bytes, [{ path: ['id'], value: theirs }]);
  }

  #asked(message: ChildMessage & { kind: 'request' }): ChildMessage {
    const theirs = textAt(message.bytes, ['id']) ?? JSON.stringify(message.id);
    const unique = this.#generation === 0 ? message.id : this.#unique();
    this.#waiting.set(unique, theirs);
    if (this.#waiting.size > maxWaitingRequests) this.#waiting.delete(this.#waiting.keys().next().value!);
    if (this.#generation === 0) return message;
    return { ...message, id: unique, bytes: splice(message.bytes, [{ path: ['id'], value: JSON.stringify(unique) }]) };
  }

  #unique(): string {
    this.#count += 1;
    return `again-${this.#generation}-${this.#count}`;
  }
}

/** The request that a message withdraws. */
export function cancelledId(message: RpcMessage): RpcId | undefined {
  if (message.kind !== 'notification' || message.method !== 'notifications/cancelled') return undefined;
  const id = isJsonObject(message.params) ? message.params['requestId'] : undefined;
  return isId(id) ? id : undefined;
}
