// Both ends of a JSON-RPC 2.0 conversation over a Port: requests with results, cancellation, notifications.
// Our own instead of vscode-jsonrpc: it must run over postMessage, HTTP/2 streams and pipes alike, without Node,
// inside the 150 KiB of the extension; each contract in this folder types it.
import { errorInfo, fromErrorInfo, TunnelError, type ErrorInfo } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import type { Port } from './port.ts';

/** What one side offers: requests it answers and notifications it accepts. */
export type Contract = {
  requests: Record<string, { params: unknown; result: unknown }>;
  notifications: Record<string, unknown>;
};

type Params<C extends Contract, M extends keyof C['requests']> = C['requests'][M]['params'];
type Result<C extends Contract, M extends keyof C['requests']> = C['requests'][M]['result'];

/** Requests of the other side that may run at the same time; more are refused with `LIMIT`. */
export const maxConcurrentRequests = 256;

type Waiting = { resolve: (result: never) => void; reject: (error: Error) => void };
type Handler = (params: never, signal: AbortSignal) => unknown;

export class Peer<Mine extends Contract, Theirs extends Contract> {
  readonly #port: Port;
  readonly #handlers = new Map<string, Handler>();
  readonly #listeners = new Map<string, (params: never) => void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #running = new Map<number, AbortController>();
  readonly #onClose: (() => void)[] = [];
  #nextId = 1;
  #closed = false;

  constructor(port: Port) {
    this.#port = port;
  }

  /** Starts to receive; call it when all handlers are in place. */
  start(): this {
    this.#port.onClose(() => this.#end());
    this.#port.onMessage((text) => this.#receive(text));
    return this;
  }

  handle<M extends keyof Mine['requests'] & string>(
    method: M,
    handler: (params: Params<Mine, M>, signal: AbortSignal) => Result<Mine, M> | Promise<Result<Mine, M>>,
  ): void {
    this.#handlers.set(method, handler);
  }

  on<N extends keyof Mine['notifications'] & string>(
    method: N,
    listener: (params: Mine['notifications'][N]) => void,
  ): void {
    this.#listeners.set(method, listener);
  }

  onClose(closed: () => void): void {
    if (this.#closed) closed();
    else this.#onClose.push(closed);
  }

  /** Rejects with the other side's `TunnelError`, or `CLOSED` when the port ends first. */
  request<M extends keyof Theirs['requests'] & string>(
    method: M,
    params: Params<Theirs, M>,
    signal?: AbortSignal,
  ): Promise<Result<Theirs, M>> {
    if (this.#closed) return Promise.reject(new TunnelError('CLOSED', `${method}: the other side is gone`));
    if (signal?.aborted) return Promise.reject(new TunnelError('CANCELLED', `${method} was cancelled`));
    const id = this.#nextId++;
    return new Promise<Result<Theirs, M>>((resolve, reject) => {
      const cancel = (): void => {
        this.#send({ jsonrpc: '2.0', method: '$/cancel', params: { id } });
        this.#waiting.delete(id);
        reject(new TunnelError('CANCELLED', `${method} was cancelled`));
      };
      const settled = (): void => signal?.removeEventListener('abort', cancel);
      this.#waiting.set(id, {
        resolve: (result) => (settled(), resolve(result)),
        reject: (error) => (settled(), reject(error)),
      });
      signal?.addEventListener('abort', cancel, { once: true });
      this.#send({ jsonrpc: '2.0', id, method, params });
    });
  }

  notify<N extends keyof Theirs['notifications'] & string>(method: N, params: Theirs['notifications'][N]): void {
    if (!this.#closed) this.#send({ jsonrpc: '2.0', method, params });
  }

  close(): void {
    this.#port.close();
    this.#end();
  }

  #send(message: object): void {
    this.#port.send(JSON.stringify(message));
  }

  #receive(text: string): void {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return; // Not ours: a stray line on a pipe is no reason to end the conversation.
    }
    if (!isJsonObject(message)) return;
    const { id, method, params } = message;
    if (typeof method === 'string' && typeof id === 'number') void this.#answer(id, method, params);
    else if (method === '$/cancel') this.#running.get(Number(isJsonObject(params) && params['id']))?.abort();
    else if (typeof method === 'string') this.#listeners.get(method)?.((params ?? {}) as never);
    else if (typeof id === 'number') this.#settle(id, message);
  }

  async #answer(id: number, method: string, params: JsonValue | undefined): Promise<void> {
    if (this.#running.has(id)) return; // The first request with this id will be answered; a second has no answer of its own.
    const handler = this.#handlers.get(method);
    const controller = new AbortController();
    try {
      if (!handler) throw new TunnelError('NOT_FOUND', `there is no method ${method}`);
      if (this.#running.size >= maxConcurrentRequests) throw new TunnelError('LIMIT', 'too many requests at once');
      this.#running.set(id, controller);
      const result = await handler((params ?? {}) as never, controller.signal);
      if (!this.#closed) this.#send({ jsonrpc: '2.0', id, result: result ?? null });
    } catch (error) {
      const info = errorInfo(error);
      if (!this.#closed) this.#send({ jsonrpc: '2.0', id, error: { code: 0, message: info.message, data: info } });
    } finally {
      this.#running.delete(id);
    }
  }

  #settle(id: number, message: Record<string, unknown>): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    const error = message['error'] as { message: string; data?: ErrorInfo } | undefined;
    if (!error) waiting.resolve(message['result'] as never);
    else waiting.reject(error.data ? fromErrorInfo(error.data) : new TunnelError('INTERNAL', error.message));
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const controller of this.#running.values()) controller.abort();
    for (const waiting of this.#waiting.values()) {
      waiting.reject(new TunnelError('CLOSED', 'the other side is gone'));
    }
    this.#waiting.clear();
    for (const closed of this.#onClose) closed();
  }
}
