// Modern agents at a legacy server: each request says everything for itself and is carried out in a session that is kept
// for its agent. A call in which the server asks something ends with `input_required` and waits for the retry.
import type { Clock, Random, TimerHandle } from '../../core/clock.ts';
import { TunnelError } from '../../core/errors.ts';
import { isJsonObject, type JsonValue } from '../../core/json.ts';
import { memberText } from '../../mcp/jsonEdit.ts';
import { isId } from '../../mcp/classify.ts';
import { rpcCode } from '../../mcp/rpcErrors.ts';
import { accepted, jsonAnswer, refuse } from '../answers.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../upstream.ts';
import { BackCall } from './backCall.ts';
import { SessionLost } from './backConnection.ts';
import type { BackSession } from './backSession.ts';
import { BackSessions } from './backSessions.ts';
import { honouredFilter, listenLimits, type Listener } from './changeListeners.ts';
import { discoverResult } from './handshakes.ts';
import { HttpRefusal } from './httpRefusal.ts';
import { ModernOutlet } from './modernOutlet.ts';
import { readModernRequest, refused, type ModernRequest } from './modernRequest.ts';
import { legacyParams } from './requestForms.ts';
import { bindingOf, RequestStates } from './requestStates.ts';

export const heldLimits = {
  /** Calls of all agents that wait for answers; beyond, the server is told that nobody can be asked. */
  maxHeld: 256,
  /** How long one waits before it is cancelled. */
  holdMs: 10 * 60_000,
};

/** Of the older eras; a modern agent asks otherwise (2026-07-28). */
const GONE: ReadonlyMap<string, string> = new Map([
  ['initialize', 'each request says what initialize said'],
  ['ping', 'this revision has no ping'],
  ['logging/setLevel', 'name the level in _meta'],
  ['resources/subscribe', 'use subscriptions/listen'],
  ['resources/unsubscribe', 'use subscriptions/listen'],
  ['tasks/get', 'the server knows only the tasks of 2025-11-25'],
  ['tasks/update', 'the server knows only the tasks of 2025-11-25'],
  ['tasks/cancel', 'the server knows only the tasks of 2025-11-25'],
  ['tasks/result', 'this revision has no such method'],
  ['tasks/list', 'this revision has no such method'],
]);

export type ModernFrontOptions = { upstream: Upstream; clock: Clock; random: Random; onStranger: () => void };

type Held = { session: BackSession; call: BackCall; timer: TimerHandle };

export class ModernFront {
  readonly #options: ModernFrontOptions;
  readonly #sessions: BackSessions;
  readonly #states: RequestStates;
  /** By the text in their state: session and id. */
  readonly #held = new Map<string, Held>();
  #named = 0;

  constructor(options: ModernFrontOptions) {
    this.#options = options;
    this.#states = new RequestStates(options.clock);
    this.#sessions = new BackSessions({
      ...options,
      mayHold: () => this.#held.size < heldLimits.maxHeld,
      onRefused: options.onStranger,
    });
  }

  get isUsed(): boolean {
    return this.#sessions.isUsed;
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    if (request.signal.aborted) throw new TunnelError('CANCELLED', 'the agent has left');
    const [message] = request.messages;
    if (message?.kind === 'notification') return this.#notified(request, message.method, message.params);
    const asked = readModernRequest(request);
    if ('status' in asked) return asked;
    const gone = GONE.get(asked.method);
    if (gone !== undefined) {
      return refused(404, asked.id, rpcCode.methodNotFound, `Method not found: ${asked.method}; ${gone}`);
    }
    if (asked.values['inputResponses'] !== undefined || asked.values['requestState'] !== undefined) {
      return this.#retry(request, asked);
    }
    let session: BackSession | undefined;
    try {
      session = await this.#sessions.for(request.principal, asked, request.headers);
    } catch (error) {
      if (error instanceof HttpRefusal) return error.response;
      throw error;
    }
    if (!session) return refuse.tooManySessions(asked.id);
    try {
      if (asked.method === 'server/discover') return discovered(asked, session);
      if (asked.method === 'subscriptions/listen') return await this.#listen(request, asked, session);
      return await this.#call(request, asked, session);
    } finally {
      this.#sessions.released(session);
    }
  }

  async close(): Promise<void> {
    for (const { timer } of this.#held.values()) timer.cancel();
    this.#held.clear();
    await this.#sessions.close();
  }

  #call(request: UpstreamRequest, asked: ModernRequest, session: BackSession): Promise<UpstreamResponse> {
    let current: { session: BackSession; call: BackCall } | undefined;
    const outlet = this.#outlet(request, () => current && this.#left(current.session, current.call));
    const begin = async (session: BackSession): Promise<void> => {
      const call: BackCall = new BackCall({
        id: session.nextId(),
        method: asked.method,
        params: asked.values,
        binding: bindingOf(request.principal, asked.method, asked.values),
        serverInfo: session.serverInfo,
        outlet,
        agentId: JSON.stringify(asked.id),
        note: request.note,
        hold: () => this.#hold(session, call),
      });
      current = { session, call };
      if (asked.logLevel !== undefined) await session.ensureLevel(asked.logLevel);
      if (request.signal.aborted || outlet.isOver) return; // Whoever leaves before its call was made makes none.
      const progressToken = call.wantsProgress ? { progressToken: String(call.id) } : {};
      await session.call(call, legacyParams(asked.params, progressToken), request.headers);
    };
    begin(session)
      .catch(async (error: unknown) => {
        // The session was gone before the call was carried out: once more, in a new one.
        if (!(error instanceof SessionLost)) throw error;
        this.#options.onStranger();
        const other = await this.#sessions.for(request.principal, asked, request.headers);
        if (!other) throw error;
        await begin(other);
      })
      .catch((error: unknown) => failed(outlet, error))
      .finally(() => current && this.#sessions.released(current.session));
    return outlet.response;
  }

  /** The agent has left: closing the answer is how a modern agent cancels. */
  #left(session: BackSession, call: BackCall): void {
    session.cancel(call, 'the agent has left');
    this.#sessions.released(session);
  }

  #hold(session: BackSession, call: BackCall): string {
    this.#named += 1;
    call.round += 1;
    call.name ??= `c${this.#named}`;
    const { name } = call;
    this.#held.get(name)?.timer.cancel();
    const timer = this.#options.clock.after(heldLimits.holdMs, () => {
      this.#held.delete(name);
      session.cancel(call, 'the agent did not answer in time');
    });
    this.#held.set(name, { session, call, timer });
    const expiresMs = this.#options.clock.now() + heldLimits.holdMs;
    return this.#states.mint({ call: name, round: call.round, expiresMs }, call.binding);
  }

  async #retry(request: UpstreamRequest, asked: ModernRequest): Promise<UpstreamResponse> {
    const { id, method, values, params } = asked;
    const invalid = (message: string): UpstreamResponse => refused(400, id, rpcCode.invalidParams, message);
    const state = values['requestState'];
    if (typeof state !== 'string') return invalid('requestState is missing');
    const verified = this.#states.verify(state, bindingOf(request.principal, method, values));
    if (verified.kind === 'forged') return invalid('requestState does not belong to this call');
    const held = verified.kind === 'good' ? this.#held.get(verified.call) : undefined;
    if (verified.kind === 'expired' || !held) {
      return invalid('the call does not wait any more; make it again without requestState');
    }
    const { session, call } = held;
    if (verified.round !== call.round) return invalid('requestState was used before');
    const responses = values['inputResponses'] ?? {};
    if (!isJsonObject(responses)) return invalid('inputResponses must be an object');
    const stranger = Object.keys(responses).find((key) => !call.questions.has(key));
    if (stranger !== undefined)
      return invalid(`inputResponses: nothing was asked as ${JSON.stringify(stranger.slice(0, 80))}`);
    if (!Object.values(responses).every(isJsonObject)) return invalid('each of inputResponses must be an object');

    held.timer.cancel();
    this.#held.delete(verified.call); // From here on the state is spent.
    const answers = new Map(
      Object.keys(responses).map((key) => [key, memberText(memberText(params, 'inputResponses')!, key)!]),
    );
    const outlet = this.#outlet(request, () => this.#left(session, call));
    const questions = new Map([...call.questions].filter(([key]) => answers.has(key)));
    call.resume({ outlet, agentId: JSON.stringify(id), note: request.note, answered: answers.keys() });
    session.answer(questions, answers).catch((error: unknown) => failed(outlet, error));
    return outlet.response;
  }

  async #listen(request: UpstreamRequest, asked: ModernRequest, session: BackSession): Promise<UpstreamResponse> {
    const filter = honouredFilter(asked.values, session.serverCapabilities);
    if (!filter) return refused(200, asked.id, rpcCode.invalidParams, 'params.notifications cannot be read');
    if (session.listeners.size >= listenLimits.maxListeners) {
      return refused(200, asked.id, rpcCode.limitReached, `more than ${listenLimits.maxListeners} subscriptions`);
    }
    const outlet = this.#outlet(request, () => {
      session.removeListener(listener);
      this.#sessions.released(session);
    });
    const listener: Listener = { id: JSON.stringify(asked.id), filter, outlet };
    session.addListener(listener).catch((error: unknown) => {
      session.removeListener(listener);
      failed(outlet, error);
    });
    return outlet.response;
  }

  async #notified(request: UpstreamRequest, method: string, params: JsonValue | undefined): Promise<UpstreamResponse> {
    const text = memberText(request.body?.toString('utf8') ?? '{}', 'params');
    if (method === 'notifications/cancelled') {
      const id = isJsonObject(params) ? params['requestId'] : undefined;
      // Over HTTP an agent cancels by closing the answer; one that says so, too, is taken at its word.
      for (const session of this.#sessions.of(request.principal))
        if (isId(id)) session.cancelAgents(JSON.stringify(id));
      return accepted();
    }
    for (const session of this.#sessions.of(request.principal)) {
      await session.notify(method, text === undefined ? undefined : legacyParams(text));
    }
    return accepted();
  }

  #outlet({ signal }: UpstreamRequest, onLeft: () => void): ModernOutlet {
    return new ModernOutlet({ clock: this.#options.clock, signal, onLeft });
  }
}

function discovered({ id }: ModernRequest, session: BackSession): UpstreamResponse {
  const text = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${discoverResult(session.initialized)}}`;
  return jsonAnswer(200, Buffer.from(text));
}

function failed(outlet: ModernOutlet, error: unknown): void {
  if (error instanceof HttpRefusal) outlet.refuse(error.response);
  else outlet.fail(asTunnelError(error));
}

function asTunnelError(error: unknown): TunnelError {
  if (error instanceof TunnelError) return error;
  return new TunnelError('UPSTREAM_EXITED', 'the session with the server was lost', { cause: error });
}
