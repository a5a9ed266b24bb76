// One MCP session of the Streamable HTTP transport (≤ 2025-11-25) in front of a server that speaks in lines: which
// message of the server belongs to which stream of the agent. It stays when the server behind it is started again.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import { isId } from '../mcp/classify.ts';
import { elementsOf, skipSpace } from '../mcp/jsonRanges.ts';
import type { RpcId, RpcMessage } from '../mcp/message.ts';
import { failed, failureOf, failures, failureText } from '../mcp/failures.ts';
import { rpcCode, rpcErrorText } from '../mcp/rpcErrors.ts';
import { AgentStream } from './agentStream.ts';
import { accepted, refuse, sseAnswer } from './answers.ts';
import { Call } from './call.ts';
import type { ChildAnswer, ChildMessage } from './childMessage.ts';
import { EventStore } from './eventStore.ts';
import { ReadingCalls } from './readingCalls.ts';
import type { Initialised, OpenSessionServer, SessionServer } from './sessionServer.ts';
import { SseBody } from './sseBody.ts';
import type { StdioLimits } from './stdioLimits.ts';
import type { UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

export type StdioSessionOptions = {
  id: string;
  /** Whose it is. */
  principal: string;
  open: OpenSessionServer;
  clock: Clock;
  limits: StdioLimits;
  /** Sends calls that only read again when the server was started again before it answered. */
  replaysReads: boolean;
  emit: (event: UpstreamEvent) => void;
  /** It can serve no more: the server is gone, or nobody used it for `idleMs`. */
  onOver: (reason: TunnelError) => void;
};

const GET_STREAM = 'g';
/** Below this, streams that nobody can resume are not looked for. */
const fewStreams = 64;

type Request = RpcMessage & { kind: 'request' };

export class StdioSession {
  readonly id: string;
  readonly principal: string;
  readonly #options: StdioSessionOptions;
  #server: SessionServer | undefined;
  readonly #store: EventStore;
  readonly #getStream: AgentStream;
  #markGetStream: UpstreamRequest['mark'];
  readonly #streams = new Map<string, AgentStream>();
  /** Which call waits for the answer with this id. */
  readonly #calls = new Map<RpcId, Call>();
  /** Withdrawn, but the server may answer all the same: not to be taken for the answer to another call. */
  readonly #withdrawn = new Set<RpcId>();
  readonly #bodies = new Set<SseBody>();
  readonly #reads = new ReadingCalls();
  #posts = 0;
  #running = 0;
  #idle: TimerHandle | undefined;
  #usedMs = 0;
  #over: TunnelError | undefined;

  constructor(options: StdioSessionOptions) {
    this.id = options.id;
    this.principal = options.principal;
    this.#options = options;
    const { limits } = options;
    this.#store = new EventStore(limits.maxReplayEvents, limits.maxReplayBytes);
    this.#getStream = new AgentStream(GET_STREAM, this.#store);
    this.#streams.set(GET_STREAM, this.#getStream);
    this.#usedMs = options.clock.now();
  }

  /** Has a server for itself, or its share of one. Throws `UPSTREAM_START`. */
  async start(): Promise<void> {
    this.#server = await this.#options.open(this, {
      onMessage: (message) => this.#fromServer(message),
      onOverlong: (error) => this.#failCalls(error, rpcCode.limitReached),
      onInterrupted: () => this.#interrupted(),
      onResumed: (changes) => {
        for (const change of changes) this.#synthesise(Buffer.from(change));
      },
      onOver: (reason) => this.#close(reason),
    });
    if (this.#over) await this.#server.end(); // It was ended while it started.
  }

  /** Milliseconds since the epoch at which it was last used; `undefined` while it is in use. */
  get idleSinceMs(): number | undefined {
    return this.#running > 0 || this.#bodies.size > 0 ? undefined : this.#usedMs;
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /** Sends `initialize` and gives the server's answer as it stands. Throws `UPSTREAM_START`, `CANCELLED`. */
  async initialize(request: Request, body: Uint8Array, signal: AbortSignal): Promise<Initialised> {
    this.#running += 1;
    try {
      if (this.#over) throw this.#over;
      return await this.#server!.initialize(request, body, signal);
    } finally {
      this.#running -= 1;
      this.#used();
    }
  }

  async post(request: UpstreamRequest, mayPrime: boolean): Promise<UpstreamResponse> {
    if (this.#over) return refuse.unknownSession();
    const body = request.body ?? Buffer.alloc(0);
    const requests = request.messages.filter((message) => message.kind === 'request');
    const first = requests[0]?.id ?? null;
    const inUse = requests.find(({ id }) => this.#calls.has(id) || this.#withdrawn.has(id));
    if (inUse) return refuse.idInUse(inUse.id);
    const { maxPendingRequests } = this.#options.limits;
    if (first !== null && this.#calls.size + requests.length > maxPendingRequests) {
      return refuse.tooManyCalls(maxPendingRequests, first);
    }
    const server = this.#server!;
    if (!server.hasRoom) return refuse.notReading(first);

    const lines = linesOf(request.messages, body);
    const send = (): void =>
      request.messages.forEach((message, index) =>
        server.send(message, lines[index]!, message.kind === 'request' ? () => this.#overdue(message.id) : undefined),
      );
    const replays = this.#options.replaysReads && requests.every((asked) => this.#reads.has(asked));
    const call =
      requests.length === 0 ? undefined : this.#beginCall(requests, request.mark, mayPrime, replays ? send : undefined);
    if (call && server.lendsIds) request.mark?.('remapped');
    send();
    for (const message of request.messages) this.#noteCancellation(message);
    this.#used();
    return call ? this.#answerOf(call, request.signal) : accepted();
  }

  /** The GET stream, or after `Last-Event-ID` the rest of the stream that event came from. */
  openStream(lastEventId: string | undefined, mayPrime: boolean, mark: UpstreamRequest['mark']): UpstreamResponse {
    if (this.#over) return refuse.unknownSession();
    if (lastEventId === undefined && this.#getStream.isRead) return refuse.secondStream();
    const from = lastEventId === undefined ? { stream: GET_STREAM, seq: undefined } : this.#store.parse(lastEventId);
    const stream = from && this.#streams.get(from.stream);
    if (!stream) return refuse.unknownEvent();
    const body = this.#makeBody();
    stream.attach(body, from.seq);
    if (stream === this.#getStream) this.#markGetStream = mark;
    // An agent that is cut before the first message can come back for it, too.
    if (mayPrime && lastEventId === undefined) stream.prime();
    return sseAnswer(body, this.id);
  }

  /** Ends its server and every stream. Idempotent; resolves when no process of its own is left. */
  async end(reason = new TunnelError('UPSTREAM_EXITED', 'the session was ended')): Promise<void> {
    this.#close(reason);
    await this.#server?.end();
  }

  /** Ends the process behind it and starts it anew; the session stays. */
  restart(why: string): void {
    this.#server?.restart(why);
  }

  /** Everybody who waits is told; from here on the session does not exist. */
  #close(reason: TunnelError): void {
    if (this.#over) return;
    this.#over = reason;
    this.#idle?.cancel();
    this.#failCalls(reason, rpcCode.upstreamUnavailable);
    for (const stream of this.#streams.values()) stream.finish();
    this.#options.onOver(reason);
  }

  /** Calls under way are not sent again unless they only read: their agents decide. */
  #interrupted(): void {
    const calls = new Set(this.#calls.values());
    this.#withdrawn.clear(); // Nobody is left who could answer them.
    for (const call of calls) {
      if (call.replay()) continue;
      for (const id of call.waiting) this.#calls.delete(id);
      call.interrupt(restartedText);
    }
  }

  /** The server was away too long for it to be sent. */
  #overdue(id: RpcId): void {
    const call = this.#calls.get(id);
    if (!this.#calls.delete(id) || !call) return;
    call.refuse(id, failureText(id, errorInfo(failed('SERVER_AWAY', 'the server is away'))));
  }

  #beginCall(
    requests: readonly Request[],
    mark: UpstreamRequest['mark'],
    mayPrime: boolean,
    replay: (() => void) | undefined,
  ): Call {
    this.#posts += 1;
    const stream = new AgentStream(`p${this.#posts}`, this.#store);
    this.#forgetOldStreams();
    this.#streams.set(stream.name, stream);
    const call = new Call({
      ids: requests.map(({ id }) => id),
      progressTokens: requests.flatMap(progressTokenOf),
      stream,
      sessionId: this.id,
      clock: this.#options.clock,
      jsonAnswerMs: this.#options.limits.jsonAnswerMs,
      mayPrime,
      makeBody: () => this.#makeBody(),
      mark,
      ...(replay ? { replay } : {}),
    });
    for (const { id } of requests) this.#calls.set(id, call);
    return call;
  }

  async #answerOf(call: Call, signal: AbortSignal): Promise<UpstreamResponse> {
    // A disconnect is no cancellation in this era: the server goes on, the agent may come back.
    const leave = (): void => call.abandon(new TunnelError('CANCELLED', 'the agent has left'));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    this.#running += 1;
    try {
      return await call.response;
    } finally {
      signal.removeEventListener('abort', leave);
      this.#running -= 1;
      this.#used();
    }
  }

  #noteCancellation(message: RpcMessage): void {
    if (message.kind !== 'notification' || message.method !== 'notifications/cancelled') return;
    const id = isJsonObject(message.params) ? message.params['requestId'] : undefined;
    const call = isId(id) ? this.#calls.get(id) : undefined;
    if (!call || !isId(id)) return;
    this.#calls.delete(id);
    this.#withdrawn.add(id);
    if (this.#withdrawn.size > this.#options.limits.maxPendingRequests) {
      this.#withdrawn.delete(this.#withdrawn.values().next().value!);
    }
    call.cancelled(id);
  }

  #fromServer(message: ChildMessage): void {
    if (message.kind === 'answer') return this.#answer(message);
    const progressToken = message.kind === 'notification' ? message.progressToken : undefined;
    const call =
      progressToken === undefined
        ? undefined
        : [...this.#calls.values()].find(({ progressTokens }) => progressTokens.includes(progressToken));
    if (call) call.message(message.bytes);
    else this.#unrelated(message.bytes);
  }

  #answer({ id, bytes, result }: ChildAnswer): void {
    // An error without id answers a message the server could not read: the only one there is, if there is but one.
    const asked = id ?? (this.#calls.size === 1 ? this.#calls.keys().next().value! : undefined);
    if (asked === undefined) return this.#unrelated(bytes);
    const call = this.#calls.get(asked);
    if (!call) {
      const why = this.#withdrawn.delete(asked) ? 'a cancelled call' : 'no call';
      this.#options.emit({ kind: 'noise', sessionId: this.id, line: `(an answer to ${why} was dropped)` });
      return;
    }
    this.#calls.delete(asked);
    if (this.#options.replaysReads) this.#reads.learn(result);
    call.answer(asked, bytes);
  }

  /** What belongs to no call in particular: the GET stream, else a call that is being heard, else kept for later. */
  #unrelated(bytes: Uint8Array): void {
    const heard = this.#getStream.isRead ? undefined : [...this.#calls.values()].findLast((call) => call.isHeard);
    if (heard) heard.message(bytes);
    else this.#getStream.send(bytes);
  }

  /** What the agent should hear of a server that came back. */
  #synthesise(bytes: Uint8Array): void {
    const heard = this.#getStream.isRead ? undefined : [...this.#calls.values()].findLast((call) => call.isHeard);
    if (heard) return heard.synthesise(bytes);
    if (this.#getStream.isRead) this.#markGetStream?.('synthesised');
    this.#getStream.send(bytes);
  }

  #failCalls(error: TunnelError, code: number): void {
    const calls = new Set(this.#calls.values());
    this.#calls.clear();
    const { sentence, retryable } = failureOf(errorInfo(error));
    const data = retryable && { retryable };
    for (const call of calls) call.fail(error, (id) => rpcErrorText(id, code, sentence, data));
  }

  #makeBody(): SseBody {
    const { clock, limits } = this.#options;
    const body: SseBody = new SseBody({
      clock,
      queueBytes: limits.streamQueueBytes,
      ...(this.#server!.canWait ? {} : { maxQueueBytes: limits.sharedQueueBytes }),
      stallMs: limits.stallMs,
      onFull: () => this.#server!.pause(),
      onDrained: () => this.#server!.resume(),
      onGone: () => {
        this.#bodies.delete(body);
        this.#used();
      },
    });
    this.#bodies.add(body);
    this.#used();
    return body;
  }

  /** Streams whose events are all forgotten cannot be resumed. */
  #forgetOldStreams(): void {
    if (this.#streams.size < fewStreams) return;
    const alive = new Set([...this.#calls.values()].map((call) => call.stream.name));
    for (const name of this.#streams.keys()) {
      if (name !== GET_STREAM && !alive.has(name) && !this.#store.holds(name)) this.#streams.delete(name);
    }
  }

  #used(): void {
    this.#usedMs = this.#options.clock.now();
    this.#idle?.cancel();
    if (this.#over || this.idleSinceMs === undefined) return;
    this.#idle = this.#options.clock.after(this.#options.limits.idleMs, () => void this.end());
  }
}

function restartedText(id: RpcId): string {
  const { rpc, sentence } = failures.SERVER_RESTARTED;
  return rpcErrorText(id, rpc, sentence, { retryable: true });
}

/** What the server reads as lines: the body itself, or the messages of a batch one by one. */
function linesOf(messages: readonly RpcMessage[], body: Buffer): Uint8Array[] {
  if (messages.length === 1 && body[skipBytes(body)] !== 0x5b) return [body];
  const text = body.toString('utf8');
  return elementsOf(text, skipSpace(text, 0)).map(({ from, to }) => Buffer.from(text.slice(from, to)));
}

function skipBytes(body: Buffer): number {
  let at = 0;
  while (body[at] === 0x20 || body[at] === 0x0a || body[at] === 0x0d || body[at] === 0x09) at += 1;
  return at;
}

function progressTokenOf(request: Request): RpcId[] {
  const meta = isJsonObject(request.params) ? request.params['_meta'] : undefined;
  const token = isJsonObject(meta) ? meta['progressToken'] : undefined;
  return isId(token) ? [token] : [];
}
