// A session with a legacy server that is kept for a modern agent, which knows none: one for each principal and each
// client it calls itself, because a legacy server believes for the whole session what `initialize` said.
import { Backoff } from '../../core/backoff.ts';
import type { Clock, Random, TimerHandle } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts';
import { memberText } from '../../mcp/jsonEdit.ts';
import { legacyRevisions, logLevels } from '../../mcp/revisions.ts';
import { rpcCode, rpcErrorText } from '../../mcp/rpcErrors.ts';
import type { Upstream, UpstreamResponse } from '../upstream.ts';
import { BackConnection } from './backConnection.ts';
import { maxQuestions, type BackCall, type Question } from './backCall.ts';
import { acknowledgement, asHeardBy, endOfListening, listenLimits, type Listener } from './changeListeners.ts';
import { missingCapability } from './inputRounds.ts';
import { messageText } from './modernConversation.ts';
import { spokenIn, type Spoken } from './spoken.ts';

/** From the start of the handshake to its end. */
export const handshakeMs = 30_000;

/** How often a broken stream of one call is asked to go on. */
export const maxResumes = 100;

export type BackSessionOptions = {
  upstream: Upstream;
  principal: string;
  /** JSON texts of what the agent says of itself. */
  clientInfo: string;
  clientCapabilities: string;
  headers: Record<string, string>;
  clock: Clock;
  random: Random;
  /** Whether one more call may wait for its agent. */
  mayHold: () => boolean;
  /** The server refused a request as such: it may have become another. */
  onRefused: () => void;
  onOver: () => void;
};

/** Methods whose answer may be `input_required` (2026-07-28). */
const ROUNDS: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

export class BackSession {
  readonly #options: BackSessionOptions;
  readonly #lifetime = new AbortController();
  readonly #server: BackConnection;
  readonly #capabilities: JsonObject;
  readonly #calls = new Map<number, BackCall>();
  /** Calls whose own POST has no answer yet: it will say what became of them. */
  readonly #sending = new Set<BackCall>();
  /** Answers to what the session asked for itself. */
  readonly #own = new Map<number, (spoken: Spoken) => void>();
  readonly #listeners = new Set<Listener>();
  readonly #subscribed = new Map<string, number>();
  #initialized = '{}';
  #nextId = 0;
  #level: number | undefined;
  #lastEventId: string | undefined;
  #reopen: TimerHandle | undefined;
  #closed = false;

  constructor(options: BackSessionOptions) {
    this.#options = options;
    this.#server = new BackConnection({
      ...options,
      onGone: () => this.#over(new TunnelError('UPSTREAM_EXITED', 'the server has forgotten the session')),
    });
    const capabilities = JSON.parse(options.clientCapabilities) as JsonValue;
    this.#capabilities = isJsonObject(capabilities) ? capabilities : {};
  }

  /** What the server answered to `initialize`, as JSON text. */
  get initialized(): string {
    return this.#initialized;
  }

  get serverInfo(): string | undefined {
    return memberText(this.#initialized, 'serverInfo');
  }

  get serverCapabilities(): JsonObject {
    const capabilities = JSON.parse(memberText(this.#initialized, 'capabilities') ?? '{}') as JsonValue;
    return isJsonObject(capabilities) ? capabilities : {};
  }

  get isOver(): boolean {
    return this.#lifetime.signal.aborted;
  }

  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#listeners.size === 0 && this.#own.size === 0;
  }

  get listeners(): ReadonlySet<Listener> {
    return this.#listeners;
  }

  /** Throws `UPSTREAM_*`; nothing stays open then. */
  async start(): Promise<void> {
    let isLate = false;
    const timeout = this.#options.clock.after(handshakeMs, () => {
      isLate = true;
      this.#lifetime.abort();
    });
    const { clientInfo, clientCapabilities } = this.#options;
    const revision = JSON.stringify(legacyRevisions[0]!);
    const params = `{"protocolVersion":${revision},"capabilities":${clientCapabilities},"clientInfo":${clientInfo}}`;
    try {
      const { text, message } = await this.#request('initialize', params);
      const result = isJsonObject(message['result']) ? memberText(text, 'result') : undefined;
      if (result === undefined) {
        throw new TunnelError('UPSTREAM_PROTOCOL', `the server did not accept initialize: ${text.slice(0, 200)}`);
      }
      this.#initialized = result;
      const agreed: unknown = (message['result'] as JsonObject)['protocolVersion'];
      this.#server.agreed(typeof agreed === 'string' ? agreed : undefined);
      await this.#tell('{"jsonrpc":"2.0","method":"notifications/initialized"}');
      void this.#listen(new Backoff({ baseMs: 500, maxMs: 30_000, random: this.#options.random }));
    } catch (error) {
      await this.close();
      if (!isLate) throw error;
      throw new TunnelError('TIMEOUT', `the server did not answer initialize within ${handshakeMs / 1000} s`, {
        cause: error,
      });
    } finally {
      timeout.cancel();
    }
  }

  nextId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  /** Sends the call and reads until its answer, or until it waits for its agent. Throws {@link SessionLost}. */
  async call(call: BackCall, params: string | undefined, headers: Record<string, string>): Promise<void> {
    this.#server.carry(headers);
    const text = messageText(call.id, call.method, params);
    this.#calls.set(call.id, call);
    this.#sending.add(call);
    call.noteSent(text);
    const signal = AbortSignal.any([call.controller.signal, this.#lifetime.signal]);
    try {
      const answer = await this.#server.post(text, signal);
      this.#read(answer, call, signal).catch((error: unknown) => this.#failed(call, error));
    } catch (error) {
      this.#calls.delete(call.id);
      throw error;
    } finally {
      this.#sending.delete(call);
    }
  }

  /** The agent's answers on their way to the server; then the call goes on by itself. */
  async answer(questions: ReadonlyMap<string, Question>, answers: ReadonlyMap<string, string>): Promise<void> {
    for (const [key, { id }] of questions) {
      await this.#tell(`{"jsonrpc":"2.0","id":${id},"result":${answers.get(key) ?? '{}'}}`);
    }
  }

  /** The agent has said so itself; `agentId` is JSON text. */
  cancelAgents(agentId: string): void {
    for (const call of this.#calls.values()) if (call.agentId === agentId) this.cancel(call, 'the agent cancelled it');
  }

  /** The agent does not want it any more, or did not come back. */
  cancel(call: BackCall, reason: string): void {
    if (!this.#calls.delete(call.id)) return;
    const params = JSON.stringify({ requestId: call.id, reason });
    this.#tell(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":${params}}`)
      .catch(() => undefined) // It ends with the session then.
      .finally(() => call.controller.abort());
  }

  /** Makes the server at least as talkative as `level`, where it has levels. */
  async ensureLevel(level: string): Promise<void> {
    const wanted = logLevels.indexOf(level);
    if (wanted < 0 || this.serverCapabilities['logging'] === undefined) return;
    if (this.#level !== undefined && this.#level <= wanted) return;
    this.#level = wanted;
    await this.#request('logging/setLevel', JSON.stringify({ level }));
  }

  /** What the agent notifies, in legacy form. */
  async notify(method: string, params: string | undefined): Promise<void> {
    const rest = params === undefined ? '' : `,"params":${params}`;
    await this.#tell(`{"jsonrpc":"2.0","method":${JSON.stringify(method)}${rest}}`);
  }

  async addListener(listener: Listener): Promise<void> {
    this.#listeners.add(listener);
    const { resources } = listener.filter;
    // Counted in one breath: whoever leaves in the middle gives back what it has, and nothing of others.
    const fresh = [...resources].filter((uri) => !this.#subscribed.has(uri));
    for (const uri of resources) this.#subscribed.set(uri, (this.#subscribed.get(uri) ?? 0) + 1);
    for (const uri of fresh) {
      // Unless whoever wanted to hear of it has left meanwhile.
      if (this.#subscribed.has(uri)) await this.#request('resources/subscribe', JSON.stringify({ uri }));
    }
    await listener.outlet.notification(acknowledgement(listener));
    if (listener.filter.changes.size + listener.filter.resources.size > 0) return;
    listener.outlet.finish(endOfListening(listener, this.serverInfo)); // Nothing would ever come.
    this.removeListener(listener);
  }

  removeListener(listener: Listener): void {
    if (!this.#listeners.delete(listener)) return;
    for (const uri of listener.filter.resources) {
      const readers = (this.#subscribed.get(uri) ?? 1) - 1;
      if (readers > 0) this.#subscribed.set(uri, readers);
      else if (this.#subscribed.delete(uri) && !this.isOver) {
        this.#request('resources/unsubscribe', JSON.stringify({ uri })).catch(() => undefined); // The session ends then.
      }
    }
  }

  /** Idempotent. Whoever waits is told; the server is told by DELETE. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#over(new TunnelError('UPSTREAM_EXITED', 'the session with the server was ended'));
    await this.#server.delete(AbortSignal.timeout(handshakeMs)).catch(() => undefined); // It is gone already.
  }

  #over(error: TunnelError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lifetime.abort();
    this.#reopen?.cancel();
    for (const call of this.#calls.values()) if (!this.#sending.has(call)) call.fail(error);
    for (const listener of this.#listeners) listener.outlet.finish(endOfListening(listener, this.serverInfo));
    this.#calls.clear();
    this.#listeners.clear();
    this.#options.onOver();
  }

  async #read(answer: UpstreamResponse, call: BackCall, signal: AbortSignal): Promise<void> {
    let next: UpstreamResponse | undefined = answer;
    for (let resumes = 0; next && resumes < maxResumes; resumes += 1) {
      let eventId: string | undefined;
      for await (const spoken of spokenIn(next, (id) => (eventId = id))) {
        await this.#heard(spoken, call);
        if (!this.#calls.has(call.id)) return;
      }
      // A server may close early and wait for its agent to come back (2025-11-25).
      next = eventId === undefined ? undefined : await this.#server.get(eventId, signal);
    }
    throw new TunnelError('UPSTREAM_PROTOCOL', `the server gave no answer to ${call.method} (HTTP ${answer.status})`);
  }

  #failed(call: BackCall, error: unknown): void {
    if (!this.#calls.delete(call.id)) return;
    call.fail(error instanceof TunnelError ? error : new TunnelError('INTERNAL', String(error), { cause: error }));
  }

  async #heard(spoken: Spoken, from?: BackCall): Promise<void> {
    const { text, message } = spoken;
    const { id, method } = message;
    if (typeof method !== 'string') {
      const own = typeof id === 'number' ? this.#own.get(id) : undefined;
      if (own) return own(spoken);
      // An error without id answers a message that could not be read: the one that was just sent.
      const call = typeof id === 'number' ? this.#calls.get(id) : id === undefined || id === null ? from : undefined;
      if (!call) return;
      call.heard(spoken);
      this.#calls.delete(call.id);
      return call.answer(spoken);
    }
    if (id !== undefined && id !== null) return this.#question(memberText(text, 'id')!, spoken, from);
    from?.heard(spoken);
    await this.#notified(spoken, from);
  }

  async #notified({ text, message }: Spoken, from: BackCall | undefined): Promise<void> {
    const params = isJsonObject(message['params']) ? message['params'] : {};
    const method = message['method'] as string;
    switch (method) {
      case 'notifications/progress': {
        const call = this.#calls.get(Number(params['progressToken']));
        return call?.progress(text);
      }
      case 'notifications/message': {
        const wanting = [...this.#calls.values()].filter((call) => call.wantsLog(params['level']));
        const call = from && wanting.includes(from) ? from : wanting.at(-1);
        return call?.notification(text);
      }
      case 'notifications/cancelled': {
        const params = memberText(text, 'params') ?? '{}';
        const id = memberText(params, 'requestId');
        for (const call of this.#calls.values()) if (id !== undefined) call.withdraw(id);
        return;
      }
      case 'notifications/tools/list_changed':
      case 'notifications/prompts/list_changed':
      case 'notifications/resources/list_changed':
      case 'notifications/resources/updated':
        return this.#changed(text, message);
      default:
        return from?.notification(text);
    }
  }

  #changed(text: string, message: JsonObject): void {
    for (const listener of this.#listeners) {
      const heard = asHeardBy(listener, text, message);
      if (heard === undefined) continue;
      void listener.outlet.notification(heard);
      if (listener.outlet.waitingBytes > listenLimits.maxWaitingBytes) {
        this.removeListener(listener);
        listener.outlet.fail(new TunnelError('LIMIT', 'a subscription was not read'));
      }
    }
  }

  /** Asked of the agent whose call it is; on the session's own stream, of the newest that can be asked. */
  async #question(id: string, { text, message }: Spoken, from: BackCall | undefined): Promise<void> {
    const method = message['method'] as string;
    if (method === 'ping') return this.#tell(`{"jsonrpc":"2.0","id":${id},"result":{}}`);
    const call = from ?? [...this.#calls.values()].findLast((one) => ROUNDS.has(one.method));
    const missing = missingCapability(method, message['params'], this.#capabilities);
    const problem = !call
      ? 'no call of the agent is running'
      : !ROUNDS.has(call.method)
        ? `an agent that calls ${call.method} cannot be asked anything`
        : call.questions.size >= maxQuestions
          ? 'too many questions of this call wait for its agent already'
          : (missing ?? (this.#options.mayHold() ? undefined : 'too many calls wait for their agents already'));
    if (call && problem === undefined) {
      call.heard({ text, message });
      return call.ask({ id, method, text });
    }
    const { error } = JSON.parse(rpcErrorText(null, rpcCode.methodNotFound, problem ?? '')) as { error: JsonObject };
    await this.#tell(`{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify(error)}}`);
  }

  /** The session's own stream, opened again whenever it ends; some servers have none (405). */
  async #listen(backoff: Backoff): Promise<void> {
    try {
      const answer = await this.#server.get(this.#lastEventId, this.#lifetime.signal);
      if (!answer) return;
      const onEventId = (id: string): void => void (this.#lastEventId = id);
      for await (const spoken of spokenIn(answer, onEventId)) {
        backoff.reset();
        await this.#heard(spoken);
      }
    } catch {
      // It broke off: opened again below, until the session is over.
    }
    if (!this.isOver) this.#reopen = this.#options.clock.after(backoff.next(), () => void this.#listen(backoff));
  }

  #tell(text: string): Promise<void> {
    return this.#server.tell(text, this.#lifetime.signal);
  }

  /** A request of the session itself. */
  async #request(method: string, params: string): Promise<Spoken> {
    const id = this.nextId();
    let answer: Spoken | undefined;
    this.#own.set(id, (spoken) => (answer = spoken));
    try {
      const response = await this.#server.post(messageText(id, method, params), this.#lifetime.signal);
      for await (const spoken of spokenIn(response)) {
        await this.#heard(method === 'initialize' ? withId(spoken, id) : spoken);
        if (answer) return answer;
      }
      throw new TunnelError('UPSTREAM_PROTOCOL', `the server gave no answer to ${method} (HTTP ${response.status})`);
    } finally {
      this.#own.delete(id);
    }
  }
}

/** Servers answer what they cannot read without an id. */
function withId({ text, message }: Spoken, id: number): Spoken {
  return message['method'] === undefined && typeof message['id'] !== 'number'
    ? { text, message: { ...message, id } }
    : { text, message };
}
