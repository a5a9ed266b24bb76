// One MCP session of the Streamable HTTP transport (≤ 2025-11-25) over one child process: which message of the child
// belongs to which stream of the agent. Ids are never changed; both sides number their requests as they like.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import { isId } from '../mcp/classify.ts';
import { elementsOf, skipSpace } from '../mcp/jsonRanges.ts';
import type { RpcId, RpcMessage } from '../mcp/message.ts';
import { rpcCode, rpcErrorText } from '../mcp/rpcErrors.ts';
import { AgentStream } from './agentStream.ts';
import { accepted, refuse, sseAnswer } from './answers.ts';
import { Call } from './call.ts';
import type { ChildMessage } from './childMessage.ts';
import type { Exit } from './childProcess.ts';
import { EventStore } from './eventStore.ts';
import { sentenceForAgents } from './forAgents.ts';
import type { MessagePipe } from './messagePipe.ts';
import { SseBody } from './sseBody.ts';
import { StdioChild } from './stdioChild.ts';
import type { StdioLimits } from './stdioLimits.ts';
import type { UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

export type StdioSessionOptions = {
  id: string;
  process: MessagePipe;
  clock: Clock;
  limits: StdioLimits;
  emit: (event: UpstreamEvent) => void;
  /** It can serve no more: the child ended, or nobody used it for `idleMs`. */
  onOver: () => void;
};

const GET_STREAM = 'g';
/** Below this, streams that nobody can resume are not looked for. */
const fewStreams = 64;

type Initialising = { id: RpcId; resolve: (answer: Uint8Array) => void; reject: (error: TunnelError) => void };

export class StdioSession {
  readonly id: string;
  readonly #options: StdioSessionOptions;
  readonly #child: StdioChild;
  readonly #store: EventStore;
  readonly #getStream: AgentStream;
  readonly #streams = new Map<string, AgentStream>();
  /** Which call waits for the answer with this id. */
  readonly #calls = new Map<RpcId, Call>();
  /** Withdrawn, but the server may answer all the same: not to be taken for the answer to another call. */
  readonly #withdrawn = new Set<RpcId>();
  readonly #bodies = new Set<SseBody>();
  #posts = 0;
  #running = 0;
  #idle: TimerHandle | undefined;
  #usedMs = 0;
  #initialising: Initialising | undefined;
  #over: TunnelError | undefined;

  constructor(options: StdioSessionOptions) {
    this.id = options.id;
    this.#options = options;
    const { limits } = options;
    this.#store = new EventStore(limits.maxReplayEvents, limits.maxReplayBytes);
    this.#getStream = new AgentStream(GET_STREAM, this.#store);
    this.#streams.set(GET_STREAM, this.#getStream);
    this.#child = new StdioChild(options.process, limits, {
      onMessage: (message) => this.#fromChild(message),
      onNoise: (line) => options.emit({ kind: 'noise', sessionId: options.id, line }),
      onStderr: (line) => options.emit({ kind: 'stderr', sessionId: options.id, line }),
      onOverlong: (error) => this.#failCalls(error, rpcCode.limitReached),
      onBabble: () => void this.#end(this.#startFailure('prints text that is not MCP')),
      onExit: (exit) => this.#exited(exit),
    });
    const { pid } = this.#child;
    options.emit({ kind: 'started', sessionId: options.id, ...(pid === undefined ? {} : { pid }) });
  }

  /** Milliseconds since the epoch at which it was last used; `undefined` while it is in use. */
  get idleSinceMs(): number | undefined {
    return this.#running > 0 || this.#bodies.size > 0 ? undefined : this.#usedMs;
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /** Sends `initialize` and gives the server's answer as it stands. Throws `UPSTREAM_START`, `CANCELLED`. */
  async initialize(id: RpcId, body: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { clock, limits } = this.#options;
    const seconds = limits.startTimeoutMs / 1000;
    const timer = clock.after(limits.startTimeoutMs, () => {
      void this.#end(this.#startFailure(`did not answer initialize within ${seconds} s`));
    });
    const leave = (): void => void this.#end(new TunnelError('CANCELLED', 'the agent left during initialize'));
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        if (this.#over) return reject(this.#over);
        this.#initialising = { id, resolve, reject };
        this.#child.send(body);
        if (signal.aborted) leave();
      });
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', leave);
      this.#initialising = undefined;
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
    if (!this.#child.hasRoom) return refuse.notReading(first);

    const call = requests.length === 0 ? undefined : this.#beginCall(requests, mayPrime);
    for (const line of linesOf(request.messages, body)) this.#child.send(line);
    for (const message of request.messages) this.#noteCancellation(message);
    this.#used();
    return call ? this.#answerOf(call, request.signal) : accepted();
  }

  /** The GET stream, or after `Last-Event-ID` the rest of the stream that event came from. */
  openStream(lastEventId: string | undefined): UpstreamResponse {
    if (this.#over) return refuse.unknownSession();
    if (lastEventId === undefined && this.#getStream.isRead) return refuse.secondStream();
    const from = lastEventId === undefined ? { stream: GET_STREAM, seq: undefined } : this.#store.parse(lastEventId);
    const stream = from && this.#streams.get(from.stream);
    if (!stream) return refuse.unknownEvent();
    const body = this.#makeBody();
    stream.attach(body, from.seq);
    return sseAnswer(body, this.id);
  }

  /** Ends the child and every stream. Idempotent; resolves when no process is left. */
  async end(): Promise<void> {
    await this.#end(new TunnelError('UPSTREAM_EXITED', 'the session was ended'));
  }

  async #end(reason: TunnelError): Promise<void> {
    this.#close(reason);
    await this.#child.end();
  }

  /** Everybody who waits is told; from here on the session does not exist. */
  #close(reason: TunnelError): void {
    if (this.#over) return;
    this.#over = reason;
    this.#idle?.cancel();
    this.#initialising?.reject(reason);
    this.#failCalls(reason, rpcCode.upstreamUnavailable);
    for (const stream of this.#streams.values()) stream.finish();
    this.#options.onOver();
  }

  #exited(exit: Exit): void {
    this.#options.emit({ kind: 'exited', sessionId: this.id, ...exit });
    if (this.#over) return;
    const how = exit.signal === null ? `ended with code ${exit.code}` : `was ended by ${exit.signal}`;
    if (this.#initialising) this.#close(this.#startFailure(`${how} before it answered initialize`));
    else this.#close(new TunnelError('UPSTREAM_EXITED', `the server ${how}`, { data: this.#stderr() }));
  }

  #startFailure(what: string): TunnelError {
    const { noise, stderr } = this.#child.lastWords;
    const shown = noise ?? stderr.findLast((line) => /error|cannot|fail|fatal/i.test(line)) ?? stderr.at(-1);
    const words =
      shown === undefined
        ? ''
        : `; ${noise === undefined ? 'its last words' : 'it printed'}: ${shown.trim().slice(0, 200)}`;
    return new TunnelError('UPSTREAM_START', `the server ${what}${words}`, { data: this.#stderr() });
  }

  #stderr(): { stderr: string[] } {
    return { stderr: this.#child.lastWords.stderr };
  }

  #beginCall(requests: readonly Extract<RpcMessage, { kind: 'request' }>[], mayPrime: boolean): Call {
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

  #fromChild(message: ChildMessage): void {
    if (message.kind === 'answer') return this.#answer(message.id, message.bytes);
    const { progressToken } = message;
    const call =
      progressToken === undefined
        ? undefined
        : [...this.#calls.values()].find(({ progressTokens }) => progressTokens.includes(progressToken));
    if (call) call.message(message.bytes);
    else this.#unrelated(message.bytes);
  }

  #answer(id: RpcId | null, bytes: Uint8Array): void {
    if (this.#initialising && (id ?? this.#initialising.id) === this.#initialising.id) {
      return this.#initialising.resolve(bytes);
    }
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
    call.answer(asked, bytes);
  }

  /** What belongs to no call in particular: the GET stream, else a call that is being heard, else kept for later. */
  #unrelated(bytes: Uint8Array): void {
    const heard = this.#getStream.isRead ? undefined : [...this.#calls.values()].findLast((call) => call.isHeard);
    if (heard) heard.message(bytes);
    else this.#getStream.send(bytes);
  }

  #failCalls(error: TunnelError, code: number): void {
    const calls = new Set(this.#calls.values());
    this.#calls.clear();
    for (const call of calls) call.fail(error, (id) => rpcErrorText(id, code, sentenceForAgents(error.code)));
  }

  #makeBody(): SseBody {
    const { clock, limits } = this.#options;
    const body: SseBody = new SseBody({
      clock,
      queueBytes: limits.streamQueueBytes,
      stallMs: limits.stallMs,
      onFull: () => this.#child.pause(),
      onDrained: () => this.#child.resume(),
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

/** What the child reads as lines: the body itself, or the messages of a batch one by one. */
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

function progressTokenOf(request: Extract<RpcMessage, { kind: 'request' }>): RpcId[] {
  const meta = isJsonObject(request.params) ? request.params['_meta'] : undefined;
  const token = isJsonObject(meta) ? meta['progressToken'] : undefined;
  return isId(token) ? [token] : [];
}
