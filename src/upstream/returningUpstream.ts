// An HTTP server that is restarted while agents use it, seen as one that never left: the public session stays, what it
// had been told is said again, and what was under way is never sent twice. Only a request that provably reached nobody
// (a refused connection, a session the server does not know) is sent again.
import { setMaxListeners } from 'node:events';
import { Backoff } from '../core/backoff.ts';
import { delay, type Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import { failed, failureOf } from '../mcp/failures.ts';
import { refuse } from './answers.ts';
import { firstAnswer, isEventStream } from './firstAnswer.ts';
import { HttpSession } from './httpSession.ts';
import { lastingStream, type LastingStreamOptions } from './lastingStream.ts';
import type { KnownEras, Upstream, UpstreamEvent, UpstreamRequest, UpstreamResponse } from './upstream.ts';

export type ReturnLimits = {
  /** A request waits this long for a server that was there before; then it gets 503. */
  waitMs: number;
  /** An agent's open stream waits this long; then it ends, and the agent opens another. */
  streamWaitMs: number;
  /** Delays between two attempts grow from the first to the second. */
  baseMs: number;
  maxDelayMs: number;
  /** How often a session is begun anew for one request, where the server is restarted again meanwhile; then it is 404. */
  maxReturns: number;
  /** Requests that wait at the same time; one more gets 503 at once. */
  maxWaiting: number;
  /** Sessions remembered; the one unused for longest is forgotten, and its agent hears 404 after a restart. */
  maxSessions: number;
  /** Largest event that an agent's own stream may hold. */
  maxEventBytes: number;
};

export const returnLimits: ReturnLimits = {
  waitMs: 10_000,
  streamWaitMs: 10 * 60_000,
  baseMs: 100,
  maxDelayMs: 1_000,
  maxReturns: 5,
  maxWaiting: 256,
  maxSessions: 1_000,
  maxEventBytes: 64 * 1024 * 1024,
};

export type ReturningOptions = { clock: Clock; limits?: Partial<ReturnLimits> };

export class ReturningUpstream implements Upstream {
  readonly kind = 'http';
  readonly #server: Upstream;
  readonly #clock: Clock;
  readonly #limits: ReturnLimits;
  readonly #sessions = new Map<string, HttpSession>();
  readonly #events = new Emitter<UpstreamEvent>();
  readonly #closing = new AbortController();
  #waiting = 0;
  /** It has answered something: from then on a refused connection is a restart. */
  #wasThere = false;

  constructor(server: Upstream, { clock, limits }: ReturningOptions) {
    this.#server = server;
    this.#clock = clock;
    this.#limits = { ...returnLimits, ...limits };
    setMaxListeners(0, this.#closing.signal); // One for each session that returns.
  }

  check(signal: AbortSignal): Promise<KnownEras | void> {
    return this.#server.check(signal);
  }

  onEvent(listener: (event: UpstreamEvent) => void): () => void {
    return this.#events.on(listener);
  }

  async close(): Promise<void> {
    this.#closing.abort(new TunnelError('CLOSED', 'the tunnel is closed'));
    await this.#server.close();
  }

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    const session = request.sessionId === undefined ? undefined : this.#find(request.sessionId);
    if (session) return this.#inSession(session, request);
    const answer = await this.#send(request);
    const begun = request.messages.some((message) => message.kind === 'request' && message.method === 'initialize');
    const id = answer.headers['mcp-session-id'];
    if (begun && request.body && id !== undefined && answer.status < 300) {
      this.#remember(new HttpSession(id, request.body));
    }
    return answer;
  }

  async #inSession(session: HttpSession, request: UpstreamRequest): Promise<UpstreamResponse> {
    if (request.method === 'DELETE') return this.#leave(session, request);
    const answer = await this.#sendOn(session, request);
    if (answer.status < 300) session.note(request.messages);
    if (answer.status === 404) this.#sessions.delete(session.id);
    const seen = session.returns === 0 ? answer : underPublicId(session, answer);
    if (request.method !== 'GET' || answer.status !== 200 || !answer.body || !isEventStream(answer.headers))
      return seen;
    const { 'content-length': _whole, ...headers } = seen.headers;
    const body = lastingStream({
      first: answer.body,
      maxEventBytes: this.#limits.maxEventBytes,
      owed: () => owed(session, request),
      reopen: this.#reopener(session, request),
    });
    return { ...seen, headers, body };
  }

  /** A server that died since has nothing left of the session: it is over, which is what the agent wants. */
  async #leave(session: HttpSession, request: UpstreamRequest): Promise<UpstreamResponse> {
    await session.returning;
    const answer = await this.#sendIn(session, request).catch((error: unknown) => {
      if (failureOf(errorInfo(error)).code !== 'CONNECTION_CLOSED') throw error;
      return this.#sendIn(session, request); // DELETE is idempotent (RFC 9110 §9.2.2).
    });
    if (answer.status < 300 || answer.status === 404) this.#sessions.delete(session.id);
    if (answer.status !== 404) return session.returns === 0 ? answer : underPublicId(session, answer);
    answer.body?.destroy();
    return { status: 200, headers: {} };
  }

  /** To the session as the server knows it; one that it does not know is begun anew first, and then it is sent again. */
  async #sendOn(session: HttpSession, asked: UpstreamRequest, waitMs?: number): Promise<UpstreamResponse> {
    let request = asked;
    for (let times = 1; ; times += 1) {
      await session.returning;
      const { returns } = session;
      const answer = await this.#sendIn(session, request, waitMs);
      if (answer.status !== 404 || times > this.#limits.maxReturns) return answer;
      if (session.returns === returns && !(await this.#return(session, request))) return answer;
      answer.body?.destroy();
      if (request.method === 'GET') request = resumingFrom(request, undefined);
    }
  }

  async #sendIn(session: HttpSession, request: UpstreamRequest, waitMs?: number): Promise<UpstreamResponse> {
    const { counterpart } = session;
    if (counterpart.kind === 'gone') return refuse.unknownSession();
    const { 'mcp-session-id': _public, ...headers } = request.headers;
    if (counterpart.id !== undefined) headers['mcp-session-id'] = counterpart.id;
    const answer = await this.#send({ ...request, headers }, waitMs);
    // Events of the server that is no more cannot be had again: the stream begins where it is now.
    const resumes = request.method === 'GET' && headers['last-event-id'] !== undefined;
    if (!resumes || session.returns === 0 || answer.status !== 400) return answer;
    answer.body?.destroy();
    return this.#send(resumingFrom({ ...request, headers }, undefined));
  }

  /** Reopens the agent's own stream each time that it breaks off. */
  #reopener(session: HttpSession, request: UpstreamRequest): LastingStreamOptions['reopen'] {
    const backoff = this.#newBackoff();
    /** What the agent has of it, and of the session at which server: events of another one mean nothing. */
    let seen = { eventId: request.headers['last-event-id'], returns: session.returns };
    return async (lastEventId, isBarren) => {
      if (request.signal.aborted || this.#closing.signal.aborted) return undefined;
      this.#isAway(session);
      if (!isBarren) backoff.reset();
      else if (!(await this.#pause(backoff.next(), request))) return undefined;
      const eventId = lastEventId ?? seen.eventId;
      const body = await this.#reopen(session, request, session.returns === seen.returns ? eventId : undefined);
      seen = { eventId: session.returns === seen.returns ? eventId : undefined, returns: session.returns };
      return body;
    };
  }

  /** `undefined` when it cannot go on. */
  async #reopen(
    session: HttpSession,
    request: UpstreamRequest,
    eventId: string | undefined,
  ): Promise<UpstreamResponse['body']> {
    // It may be the connection alone that broke: then the server still has what was said meanwhile.
    const again = resumingFrom(request, eventId);
    const answer = await this.#sendOn(session, again, this.#limits.streamWaitMs);
    if (answer.status === 200 && isEventStream(answer.headers)) {
      if (session.returns > 0) request.mark?.('remapped');
      this.#isBack(session);
      return answer.body;
    }
    answer.body?.destroy();
    return undefined;
  }

  /** Waits, within bounds, for a server that was there and refuses connections: nothing was sent to it yet. */
  async #send(request: UpstreamRequest, waitMs = this.#limits.waitMs): Promise<UpstreamResponse> {
    const { maxWaiting } = this.#limits;
    const backoff = this.#newBackoff();
    const untilMs = this.#clock.now() + waitMs;
    let waits = false;
    try {
      for (;;) {
        try {
          const answer = await this.#server.forward(request);
          this.#wasThere = true;
          return answer;
        } catch (error) {
          if (!this.#wasThere || failureOf(errorInfo(error)).code !== 'CONNECT_REFUSED') throw error;
          const delayMs = backoff.next();
          const isFull = !waits && this.#waiting >= maxWaiting;
          if (isFull || this.#clock.now() + delayMs > untilMs) {
            throw failed('SERVER_AWAY', `${errorInfo(error).message}; it was there before`, error);
          }
          if (!waits) this.#waiting += 1;
          waits = true;
          await delay(this.#clock, delayMs, AbortSignal.any([request.signal, this.#closing.signal]));
        }
      }
    } finally {
      if (waits) this.#waiting -= 1;
    }
  }

  #newBackoff(): Backoff {
    const { baseMs, maxDelayMs } = this.#limits;
    return new Backoff({ baseMs, maxMs: maxDelayMs, random: () => 1 });
  }

  /** Whether somebody still wants what comes after it. */
  #pause(ms: number, { signal }: UpstreamRequest): Promise<boolean> {
    return delay(this.#clock, ms, AbortSignal.any([signal, this.#closing.signal])).then(
      () => true,
      () => false, // The agent left, or the tunnel was closed.
    );
  }

  /** Begins the session anew, once for all who ask; false where the server does not take it, or takes it otherwise. */
  #return(session: HttpSession, asker: UpstreamRequest): Promise<boolean> {
    session.returning ??= this.#begin(session, asker).finally(() => (session.returning = undefined));
    return session.returning;
  }

  async #begin(session: HttpSession, asker: UpstreamRequest): Promise<boolean> {
    this.#isAway(session);
    const own = ownHeaders(asker.headers);
    // Others may wait for it, too: it outlives the one who asked first.
    const { signal } = this.#closing;
    const post = (body: Buffer, more: Record<string, string> = {}): Promise<UpstreamResponse> => {
      const headers = { ...own, ...more };
      return this.#send({
        method: 'POST',
        headers,
        body,
        messages: [],
        era: 'legacy',
        principal: asker.principal,
        signal,
      });
    };
    const answer = await post(session.initialize);
    const result = await firstAnswer(answer);
    // Restarted again in the same breath: nothing is known of what it would have said, so the session stays.
    if (answer.body?.errored) throw failed('CONNECTION_CLOSED', 'the server ended while it began the session anew');
    const version = result?.['protocolVersion'];
    const spoken = asker.headers['mcp-protocol-version'];
    // The agent goes on with what was agreed before; where the server wants something else, the agent has to begin anew.
    if (!result || typeof version !== 'string' || (spoken !== undefined && spoken !== version)) return false;

    const id = answer.headers['mcp-session-id'];
    const names = { 'mcp-protocol-version': version, ...(id === undefined ? {} : { 'mcp-session-id': id }) };
    for (const said of session.sayAgain()) await firstAnswer(await post(Buffer.from(said), names));
    this.#take(id);
    session.returned(id, isJsonObject(result['capabilities']) ? result['capabilities'] : {});
    this.#isBack(session);
    return true;
  }

  /** A server that counts its sessions gives an id again: it is not the earlier session's any more. */
  #take(id: string | undefined): void {
    if (id === undefined) return;
    for (const other of this.#sessions.values()) {
      const { counterpart } = other;
      if (counterpart.kind === 'live' && counterpart.id === id) other.counterpart = { kind: 'gone' };
    }
  }

  #find(id: string): HttpSession | undefined {
    const session = this.#sessions.get(id);
    if (!session) return undefined;
    this.#sessions.delete(id); // Moves it to the young end.
    this.#sessions.set(id, session);
    return session;
  }

  #remember(session: HttpSession): void {
    this.#take(session.id);
    this.#sessions.set(session.id, session);
    const oldest = this.#sessions.keys().next();
    if (this.#sessions.size > this.#limits.maxSessions && !oldest.done) this.#sessions.delete(oldest.value);
  }

  #isAway(session: HttpSession): void {
    if (session.awaySinceMs !== undefined) return;
    session.awaySinceMs = this.#clock.now();
    this.#events.emit({ kind: 'away', sessionId: session.id });
  }

  #isBack(session: HttpSession): void {
    if (session.awaySinceMs === undefined) return;
    const awayMs = this.#clock.now() - session.awaySinceMs;
    session.awaySinceMs = undefined;
    this.#events.emit({ kind: 'returned', sessionId: session.id, awayMs });
  }
}

function resumingFrom(request: UpstreamRequest, eventId: string | undefined): UpstreamRequest {
  const { 'last-event-id': _before, ...headers } = request.headers;
  return { ...request, headers: eventId === undefined ? headers : { ...headers, 'last-event-id': eventId } };
}

/** Messages of ours on the agent's stream. */
function owed(session: HttpSession, { mark }: UpstreamRequest): string[] {
  const texts = session.takeOwed();
  if (texts.length > 0) mark?.('synthesised');
  return texts;
}

/** The agent knows the id its first server gave it. */
function underPublicId(session: HttpSession, answer: UpstreamResponse): UpstreamResponse {
  const { 'mcp-session-id': theirs, ...headers } = answer.headers;
  if (theirs !== undefined) headers['mcp-session-id'] = session.id;
  return { ...answer, headers, marks: [...(answer.marks ?? []), 'remapped'] };
}

/** What the asker said of itself, without what belongs to its request alone. */
function ownHeaders(headers: Record<string, string>): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => !name.startsWith('mcp-') && !name.startsWith('content-') && name !== 'last-event-id',
  );
  return {
    ...Object.fromEntries(kept),
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
}
