// The server of one principal in the modern era (2026-07-28), which has no sessions: all agents with the same grant
// share one process and nobody else does. Their ids are made unique on the way in, and are their own on the way out.
import type { TimerHandle } from '../core/clock.ts';
import { errorInfo, type TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { failed, failureOf, failures, failureText } from '../mcp/failures.ts';
import { metaKey, modernRevision } from '../mcp/revisions.ts';
import type { RpcMessage } from '../mcp/message.ts';
import { rpcCode, rpcErrorText } from '../mcp/rpcErrors.ts';
import { accepted, refuse } from './answers.ts';
import { ArgumentHeaders } from './argumentHeaders.ts';
import type { ChildAnswer, ChildMessage, ChildNotification } from './childMessage.ts';
import {
  cancellation,
  IdTable,
  lentCancellation,
  restoredAnswer,
  restoredProgress,
  restoredSubscription,
  type Lent,
} from './idTable.ts';
import { ModernCall } from './modernCall.ts';
import { ReadingCalls } from './readingCalls.ts';
import { ServerLife, type ServerLifeOptions } from './serverLife.ts';
import { cancelledId } from './serverRequestIds.ts';
import { SseBody } from './sseBody.ts';
import type { UpstreamRequest, UpstreamResponse } from './upstream.ts';

export type ModernServerOptions = Pick<ServerLifeOptions, 'open' | 'clock' | 'random' | 'limits' | 'emit'> & {
  principal: string;
  replaysReads: boolean;
  /** It can serve no more: the process is gone for good, or nobody used it for `idleMs`. */
  onOver: (reason: TunnelError) => void;
};

/** One request, and what is needed to say it again. */
type Asked = {
  call: ModernCall;
  mark: UpstreamRequest['mark'];
  bytes?: Uint8Array;
  replays: number;
  listening?: Listening;
};
/** A stream of notifications; `filter` is what the server granted, once it did. */
type Listening = { filter: JsonObject | undefined; isAgain: boolean };

/** Of a question of ours: whoever answers it is an MCP server. Text, because the ids of agents become numbers. */
const startId = 'mcp-tunnel-start';

const LIST_CHANGES = { toolsListChanged: 'tools', promptsListChanged: 'prompts', resourcesListChanged: 'resources' };

export class ModernServer {
  readonly principal: string;
  readonly #options: ModernServerOptions;
  readonly #life: ServerLife;
  readonly #ids = new IdTable<Asked>();
  readonly #bodies = new Set<SseBody>();
  readonly #reads = new ReadingCalls();
  readonly #headers = new ArgumentHeaders();
  #starting: Promise<void> | undefined;
  #mute: TimerHandle | undefined;
  /** It has not answered {@link startId}. */
  #isAsking = false;
  #idle: TimerHandle | undefined;
  #usedMs: number;
  #running = 0;

  constructor(options: ModernServerOptions) {
    this.principal = options.principal;
    this.#options = options;
    this.#usedMs = options.clock.now();
    this.#life = new ServerLife({
      ...options,
      greet: () => Promise.resolve(undefined), // Every request says all there is to know.
      onMessage: (message) => this.#fromServer(message),
      onOverlong: (error) => this.#failAll(error, rpcCode.limitReached),
      onInterrupted: () => this.#interrupted(),
      onResumed: () => this.#resumed(),
      onOver: (reason) => this.#over(reason),
    });
  }

  /** Milliseconds since the epoch at which it was last used; `undefined` while it is in use. */
  get idleSinceMs(): number | undefined {
    return this.#running > 0 || this.#bodies.size > 0 ? undefined : this.#usedMs;
  }

  /** Throws `UPSTREAM_START`. */
  async post({ messages, headers, body = Buffer.alloc(0), signal, mark }: UpstreamRequest): Promise<UpstreamResponse> {
    const [message] = messages;
    this.#running += 1;
    try {
      this.#starting ??= this.#life.start();
      await this.#starting;
      if (!this.#life.hasRoom) return refuse.notReading(message?.kind === 'request' ? message.id : null);
      if (message?.kind !== 'request') return this.#notified(message, body);
      const header = this.#headers.disagreement(message, headers);
      if (header !== undefined) return refuse.argumentHeader(header, message.id);
      const { maxPendingRequests } = this.#options.limits;
      if (this.#ids.size >= maxPendingRequests) return refuse.tooManyCalls(maxPendingRequests, message.id);
      mark?.('remapped');
      return await this.#call(message, body, signal, mark).response;
    } finally {
      this.#running -= 1;
      this.#used();
    }
  }

  restart(why: string): void {
    this.#life.restart(why);
  }

  /** Idempotent; resolves when no process is left. */
  end(): Promise<void> {
    return this.#life.end();
  }

  #call(
    request: RpcMessage & { kind: 'request' },
    body: Uint8Array,
    signal: AbortSignal,
    mark: UpstreamRequest['mark'],
  ): ModernCall {
    const { clock, limits, replaysReads } = this.#options;
    const call: ModernCall = new ModernCall({
      clock,
      jsonAnswerMs: limits.jsonAnswerMs,
      makeBody: (onGone) => this.#makeBody(onGone),
      signal,
      onLeft: () => {
        this.#ids.forget(lent);
        this.#life.send(cancellation(lent, 'the agent closed the stream'));
      },
    });
    const asked: Asked = { call, mark, replays: 0 };
    const [lent, bytes] = this.#ids.lend(asked, request, body);
    if (request.method === 'subscriptions/listen') asked.listening = { filter: undefined, isAgain: false };
    if (asked.listening || (replaysReads && this.#reads.has(request))) asked.bytes = bytes;
    this.#awaitFirstAnswer(request);
    // A listener that comes while the server is away is listened for with the others, when it is back.
    if (!asked.listening || this.#life.isUp) this.#life.send(bytes, () => this.#overdue(lent));
    return call;
  }

  /** A server must say something within its time; a call may take longer, so it is asked what nobody has to think about. */
  #awaitFirstAnswer({ method, params }: RpcMessage & { kind: 'request' }): void {
    if (this.#mute) return;
    const { clock, limits } = this.#options;
    this.#mute = clock.after(limits.startTimeoutMs, () => {
      const seconds = limits.startTimeoutMs / 1000;
      void this.#life.end(failed('SERVER_START', `the server answered nothing within ${seconds} s`));
    });
    if (method === 'server/discover') return;
    const meta = isJsonObject(params) && isJsonObject(params['_meta']) ? params['_meta'] : {};
    const revision = meta[metaKey.protocolVersion] ?? modernRevision;
    const _meta = { [metaKey.protocolVersion]: revision, [metaKey.clientCapabilities]: {} };
    const asks = { jsonrpc: '2.0', id: startId, method: 'server/discover', params: { _meta } };
    this.#isAsking = true;
    this.#life.send(Buffer.from(JSON.stringify(asks)));
  }

  /** The server was away too long for it to be sent. */
  #overdue(lent: Lent<Asked>): void {
    this.#ids.forget(lent);
    const { call, mark } = lent.owner;
    mark?.('synthesised');
    const text = failureText(lent.request.id, errorInfo(failed('SERVER_AWAY', 'the server is away')));
    call.answer(Buffer.from(text), failures.SERVER_AWAY.rpc);
  }

  /** A withdrawal counts where it can mean but one call of this principal; what else is said goes to the server. */
  #notified(message: RpcMessage | undefined, body: Uint8Array): UpstreamResponse {
    if (message?.kind !== 'notification') return refuse.noResponses();
    const id = cancelledId(message);
    if (id === undefined) this.#life.send(body);
    const [meant, ...others] = [...this.#ids.open].filter(({ request }) => request.id === id);
    if (!meant || others.length > 0) return accepted();
    this.#life.send(lentCancellation(meant, body));
    this.#ids.forget(meant);
    meant.owner.call.withdrawn();
    return accepted();
  }

  #fromServer(message: ChildMessage): void {
    if (message.kind === 'answer') return this.#answered(message);
    if (message.kind === 'notification') return this.#told(message);
    // This era has no requests of servers; one that waits for an answer would wait for ever.
    this.#noise(`a request (${message.method}) was refused: this revision has none`);
    if (!this.#life.hasRoom) return; // It asks and asks, and reads nothing.
    const text = rpcErrorText(message.id, rpcCode.methodNotFound, 'this protocol revision has no requests of servers');
    this.#life.send(Buffer.from(text));
  }

  #answered(message: ChildAnswer): void {
    this.#life.endure(); // It has shown that it is an MCP server.
    this.#mute?.cancel();
    // A server that cannot read the question answers it without an id, and before it answers the call behind it.
    if (message.id === startId || (message.id === null && this.#isAsking)) return void (this.#isAsking = false);
    const lent = this.#ids.answered(message.id);
    if (!lent) return this.#noise('an answer to no call was dropped');
    if (this.#options.replaysReads) this.#reads.learn(message.result);
    this.#headers.learn(message.result);
    lent.owner.call.answer(restoredAnswer(lent, message.bytes), message.code);
  }

  #told(message: ChildNotification): void {
    const { progressToken, params, bytes } = message;
    if (progressToken !== undefined) {
      const lent = this.#ids.ofToken(progressToken);
      if (lent) return lent.owner.call.message(restoredProgress(lent, bytes));
    }
    const subscription = isJsonObject(params['_meta']) ? params['_meta'][metaKey.subscriptionId] : undefined;
    const listener = this.#ids.ofSubscription(subscription);
    if (listener) return this.#toListener(listener, message);
    // It names no call: one of those that run, and all of them are this principal's.
    const running = [...this.#ids.open].filter(({ owner }) => !owner.listening);
    const asked = running.findLast(({ request }) => message.method !== 'notifications/message' || wantsLog(request));
    if (asked) asked.owner.call.message(bytes);
    else this.#noise(`a notification (${message.method}) that belongs to no call was dropped`);
  }

  #toListener(lent: Lent<Asked>, { method, params, bytes }: ChildNotification): void {
    const { call, listening } = lent.owner;
    if (method === 'notifications/subscriptions/acknowledged' && listening) {
      this.#life.endure();
      this.#mute?.cancel();
      const isAgain = listening.filter !== undefined && listening.isAgain;
      listening.isAgain = false;
      listening.filter = isJsonObject(params['notifications']) ? params['notifications'] : {};
      if (isAgain) return this.#tellChanges(lent, listening.filter); // The agent knows that it listens.
    }
    call.message(restoredSubscription(lent, bytes));
  }

  /** What the agent holds may be out of date. */
  #tellChanges(lent: Lent<Asked>, filter: JsonObject): void {
    for (const [key, list] of Object.entries(LIST_CHANGES)) {
      if (filter[key] !== true) continue;
      const method = `notifications/${list}/list_changed`;
      const params = { _meta: { [metaKey.subscriptionId]: lent.id } };
      const text = JSON.stringify({ jsonrpc: '2.0', method, params });
      lent.owner.mark?.('synthesised');
      lent.owner.call.message(restoredSubscription(lent, Buffer.from(text)));
    }
  }

  /** Calls under way are not sent again unless they only read: their agents decide. Listeners go on. */
  #interrupted(): void {
    this.#isAsking = false;
    for (const lent of this.#ids.open) {
      const asked = lent.owner;
      if (asked.listening) continue;
      asked.replays += 1;
      if (asked.bytes && asked.replays === 1) {
        this.#life.send(asked.bytes, () => this.#overdue(lent));
        continue;
      }
      this.#ids.forget(lent);
      const { rpc, sentence } = failures.SERVER_RESTARTED;
      const text = rpcErrorText(lent.request.id, rpc, sentence, { retryable: true });
      asked.mark?.('synthesised');
      asked.call.answer(Buffer.from(text), rpc);
    }
  }

  #resumed(): void {
    for (const { owner } of this.#ids.open) {
      if (!owner.listening || !owner.bytes) continue;
      owner.listening.isAgain = true;
      this.#life.send(owner.bytes);
    }
  }

  #failAll(error: TunnelError, code: number): void {
    const { sentence, retryable } = failureOf(errorInfo(error));
    const data = retryable && { retryable };
    for (const lent of this.#ids.open) {
      this.#ids.forget(lent);
      lent.owner.call.fail(error, rpcErrorText(lent.request.id, code, sentence, data));
    }
  }

  #over(reason: TunnelError): void {
    this.#idle?.cancel();
    this.#mute?.cancel();
    this.#failAll(reason, rpcCode.upstreamUnavailable);
    this.#options.onOver(reason);
  }

  #makeBody(onGone: () => void): SseBody {
    const { clock, limits } = this.#options;
    const body: SseBody = new SseBody({
      clock,
      queueBytes: limits.streamQueueBytes,
      maxQueueBytes: limits.sharedQueueBytes,
      stallMs: limits.stallMs,
      onFull: () => {}, // The others of this server cannot wait for one that reads slowly.
      onDrained: () => {},
      onGone: () => {
        this.#bodies.delete(body);
        onGone();
        this.#used();
      },
    });
    this.#bodies.add(body);
    return body;
  }

  #used(): void {
    this.#usedMs = this.#options.clock.now();
    this.#idle?.cancel();
    if (this.#life.isOver || this.idleSinceMs === undefined) return;
    this.#idle = this.#options.clock.after(this.#options.limits.idleMs, () => void this.end());
  }

  #noise(line: string): void {
    this.#options.emit({ kind: 'noise', line: `(${line})` });
  }
}

/** Whether the agent asked to hear the log of this request. */
function wantsLog({ params }: RpcMessage & { kind: 'request' }): boolean {
  const meta = isJsonObject(params) ? params['_meta'] : undefined;
  return isJsonObject(meta) && meta[metaKey.logLevel] !== undefined;
}
