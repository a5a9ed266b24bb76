// Request ids and progress tokens where several askers share one server: each request gets a number that nobody else
// has, and what comes back gets the asker's own again, letter for letter. No number is used twice, so that an answer
// that comes late, or from a process that was started again, is never taken for another's.
import { isJsonObject } from '../core/json.ts';
import { metaKey } from '../mcp/revisions.ts';
import type { RpcId, RpcMessage } from '../mcp/message.ts';
import { splice, textAt, type Splice } from './jsonSplice.ts';

/** Progress tokens that are known after their call was answered: a task goes on. The oldest are forgotten. */
export const maxKeptTokens = 1_000;

export type Lent<Owner> = {
  owner: Owner;
  request: RpcMessage & { kind: 'request' };
  /** The number that the server knows. */
  id: number;
  /** What the asker wrote. */
  idText: string;
  tokenText: string | undefined;
};

const ID = ['id'];
const REQUEST_TOKEN = ['params', '_meta', 'progressToken'];
const PROGRESS_TOKEN = ['params', 'progressToken'];
const CANCELLED_ID = ['params', 'requestId'];
const NOTIFIED_SUBSCRIPTION = ['params', '_meta', metaKey.subscriptionId];
const RESULT_SUBSCRIPTION = ['result', '_meta', metaKey.subscriptionId];

export class IdTable<Owner> {
  readonly #open = new Map<number, Lent<Owner>>();
  readonly #tokens = new Map<number, Lent<Owner>>();
  #last = 0;

  /** Requests without an answer. */
  get open(): IterableIterator<Lent<Owner>> {
    return this.#open.values();
  }

  get size(): number {
    return this.#open.size;
  }

  /** The request as the server may have it. */
  lend(owner: Owner, request: RpcMessage & { kind: 'request' }, bytes: Uint8Array): [Lent<Owner>, Uint8Array] {
    this.#last += 1;
    const id = this.#last;
    const idText = textAt(bytes, ID) ?? JSON.stringify(request.id);
    const tokenText = hasToken(request) ? textAt(bytes, REQUEST_TOKEN) : undefined;
    const lent = { owner, request, id, idText, tokenText };
    this.#open.set(id, lent);
    if (tokenText !== undefined) this.#keepToken(lent);
    const value = String(id);
    const edits = [{ path: ID, value }, ...(tokenText === undefined ? [] : [{ path: REQUEST_TOKEN, value }])];
    return [lent, splice(bytes, edits)];
  }

  /** Whose request this answers; it is open no more. An error without id answers the only one there is. */
  answered(id: RpcId | null): Lent<Owner> | undefined {
    const lent = id === null ? this.#onlyOne() : typeof id === 'number' ? this.#open.get(id) : undefined;
    if (lent) this.#open.delete(lent.id);
    return lent;
  }

  /** Nobody waits for its answer any more. */
  forget(lent: Lent<Owner>): void {
    this.#open.delete(lent.id);
  }

  /** The open request of `owner` with this id of its own. */
  find(owner: Owner, id: RpcId): Lent<Owner> | undefined {
    for (const lent of this.#open.values()) if (lent.owner === owner && lent.request.id === id) return lent;
    return undefined;
  }

  ofToken(token: RpcId): Lent<Owner> | undefined {
    return typeof token === 'number' ? this.#tokens.get(token) : undefined;
  }

  /** By what a notification says of its subscription: the number, or the number as text. */
  ofSubscription(id: unknown): Lent<Owner> | undefined {
    const number = typeof id === 'string' ? Number(id) : id;
    return typeof number === 'number' ? this.#open.get(number) : undefined;
  }

  #onlyOne(): Lent<Owner> | undefined {
    return this.#open.size === 1 ? this.#open.values().next().value : undefined;
  }

  #keepToken(lent: Lent<Owner>): void {
    this.#tokens.set(lent.id, lent);
    if (this.#tokens.size <= maxKeptTokens) return;
    for (const id of this.#tokens.keys()) {
      if (this.#open.has(id)) continue; // One that runs is never forgotten.
      this.#tokens.delete(id);
      return;
    }
  }
}

/** An answer as its asker may have it. */
export function restoredAnswer(lent: Lent<unknown>, bytes: Uint8Array): Uint8Array {
  if (textAt(bytes, ID) === 'null') return bytes; // The server could not say which.
  return splice(
    bytes,
    [{ path: ID, value: lent.idText }, subscription(lent, bytes, RESULT_SUBSCRIPTION)].filter(isEdit),
  );
}

export function restoredProgress(lent: Lent<unknown>, bytes: Uint8Array): Uint8Array {
  return splice(bytes, [{ path: PROGRESS_TOKEN, value: lent.tokenText ?? String(lent.id) }]);
}

/** A notification of a subscription, whose id is that of the request that asked for it. */
export function restoredSubscription(lent: Lent<unknown>, bytes: Uint8Array): Uint8Array {
  return splice(bytes, [subscription(lent, bytes, NOTIFIED_SUBSCRIPTION)].filter(isEdit));
}

/** The asker's withdrawal as the server may have it. */
export function lentCancellation(lent: Lent<unknown>, bytes: Uint8Array): Uint8Array {
  return splice(bytes, [{ path: CANCELLED_ID, value: String(lent.id) }]);
}

export function cancellation(lent: Lent<unknown>, reason: string): Uint8Array {
  const params = { requestId: lent.id, reason };
  return Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }));
}

function subscription(lent: Lent<unknown>, bytes: Uint8Array, path: readonly string[]): Splice | undefined {
  const text = lent.request.method === 'subscriptions/listen' ? textAt(bytes, path) : undefined;
  if (text === undefined) return undefined;
  const isText = text.startsWith('"') && !lent.idText.startsWith('"');
  return { path, value: isText ? JSON.stringify(lent.idText) : lent.idText };
}

function isEdit(edit: Splice | undefined): edit is Splice {
  return edit !== undefined;
}

function hasToken({ params }: RpcMessage & { kind: 'request' }): boolean {
  const meta = isJsonObject(params) ? params['_meta'] : undefined;
  const token = isJsonObject(meta) ? meta['progressToken'] : undefined;
  return typeof token === 'string' || typeof token === 'number';
}
