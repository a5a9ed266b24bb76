// One exchange, from bytes in to bytes out: arrive → authenticate → read → classify → own the session → decide →
// audit → forward → relay → record. Every refusal returns early; nothing reaches the upstream without a principal,
// a decision and a written audit record.
import type { Clock } from '../core/clock.ts';
import { errorInfo } from '../core/errors.ts';
import type { AuditLog } from '../audit/auditLog.ts';
import type { GrantStore, Principal } from '../identity/grants.ts';
import type { OAuthDoor } from '../identity/oauth/oauthDoor.ts';
import type { Throttle } from '../identity/throttle.ts';
import { decide, type Decision } from '../policy/decide.ts';
import type { RateLimiter } from '../policy/limits.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import type { Upstream, UpstreamResponse } from '../upstream/upstream.ts';
import { AgentsSeen } from './agentsSeen.ts';
import { AnswerObserver } from './answerObserver.ts';
import { checkArrival } from './arrivalCheck.ts';
import { argumentsDigest, readCall, requestIds, type Call } from './call.ts';
import { Exchange } from './exchange.ts';
import { towardsUpstream } from './forwardHeaders.ts';
import { authorityOf, type Arrival, type HttpRequest, type HttpResponse } from './http.ts';
import { listFilter } from './listFilter.ts';
import { recordedPath, serveOAuth } from './oauthRequest.ts';
import {
  answerFailure,
  answerOptions,
  isUpstreamFault,
  refuseArrival,
  refuseCall,
  refuseLimit,
  refuseSession,
  refuseThrottled,
  refuseUnauthenticated,
} from './refusals.ts';
import { relayAnswer } from './relay.ts';
import { ServerRequests } from './serverRequests.ts';
import { SessionTable } from './sessions.ts';
import { ToolCatalogue } from './toolCatalogue.ts';

/** What `setTimeout` holds: 24.8 days. */
const longestTimerMs = 2 ** 31 - 1;

export type GatewayOptions = {
  tunnel: string;
  serverId: string;
  clock: Clock;
  grants: GrantStore;
  throttle: Throttle;
  policy: PolicyStore;
  limiter: RateLimiter;
  audit: AuditLog;
  traffic: TrafficLog;
  upstream: Upstream;
  log: (message: string) => void;
};

export class Gateway {
  readonly agents: AgentsSeen;
  readonly #options: GatewayOptions;
  readonly #sessions = new SessionTable();
  readonly #catalogue = new ToolCatalogue();
  readonly #serverRequests: ServerRequests;
  readonly #inFlight = new Map<Exchange, Principal>();
  #oauth: OAuthDoor | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.agents = new AgentsSeen(options.clock);
    this.#serverRequests = new ServerRequests((method, session) => this.#beginServerRow(method, session));
  }

  /** Takes one visitor's request; never throws, and answers every fault. */
  readonly handle = (request: HttpRequest, response: HttpResponse, arrival: Arrival): void => {
    const exchange = this.#begin(request, response, arrival);
    this.#serve(exchange)
      .catch((error: unknown) => this.#fail(exchange, error))
      .finally(() => this.#inFlight.delete(exchange));
  };

  /** From now on agents may also ask to be let in. */
  letInBy(oauth: OAuthDoor): void {
    this.#oauth = oauth;
  }

  /** A grant was revoked: what it has open ends now. */
  endGrant(grant: string): void {
    for (const [exchange, principal] of this.#inFlight)
      if (principal.grant === grant) exchange.end('the grant was revoked');
  }

  async #serve(exchange: Exchange): Promise<void> {
    const oauth = this.#oauth;
    const arrival = checkArrival(exchange.request, exchange.arrival, oauth);
    if (arrival.kind === 'options') return answerOptions(exchange);
    if (arrival.kind === 'refused') return refuseArrival(exchange, arrival.status, arrival.reason);
    if (arrival.kind === 'oauth') return serveOAuth(exchange, oauth!, arrival.what);

    const principal = await this.#authenticate(exchange);
    if (!principal) return;

    // Before the body is read: what waits in memory is bounded, too, and so is what refusals add to the audit log.
    const { limits } = this.#options.policy.current;
    const slot = this.#options.limiter.acquire(principal.id, limits);
    if (slot.kind === 'limited') return refuseLimit(exchange, slot.limit, slot.retryAfterMs);
    try {
      const call = await readCall(exchange, arrival.method, limits.maxBodyBytes);
      if (call && (await this.#ownSession(exchange, principal, call))) await this.#serveCall(exchange, principal, call);
    } finally {
      slot.release();
    }
  }

  async #serveCall(exchange: Exchange, principal: Principal, call: Call): Promise<void> {
    const agent = call.agent ?? principal.name;
    exchange.recorder.update({ agent, era: call.era });
    const decision = this.#decide(principal, call);
    exchange.recorder.mark('decided');
    await this.#audit(exchange, principal, call, decision);
    exchange.recorder.mark('audited');

    if (decision.kind === 'deny') {
      this.agents.refused(agent, principal.name);
      return refuseCall(exchange, call, decision);
    }
    this.agents.called(agent, principal.name);
    if (exchange.cut !== undefined) return this.#finish(exchange, { status: 'cancelled', reason: exchange.cut });
    await this.#forward(exchange, principal, call);
  }

  async #authenticate(exchange: Exchange): Promise<Principal | undefined> {
    const { grants, throttle, audit, tunnel, serverId } = this.#options;
    const oauth = this.#oauth;
    const authorization = exchange.headers['authorization'];
    const result = oauth?.authenticate(authorization) ?? grants.authenticate(authorization, serverId);
    if (result.kind === 'principal') {
      const { principal } = result;
      exchange.recorder.update({ principal: { kind: principal.kind, name: principal.name, grant: principal.grant } });
      this.#inFlight.set(exchange, principal); // In the same breath: no revocation may slip in between.
      this.#endAt(exchange, result.expiresMs);
      return principal;
    }
    const { visitor, carrier } = exchange.arrival;
    const challenge = oauth?.challenge(authorityOf(exchange.request));
    const verdict = throttle.failed(visitor);
    if (verdict.kind === 'limited') {
      // Not audited one by one: strangers must not fill the disk. Who can ask to be let in must still hear where.
      if (challenge !== undefined) refuseUnauthenticated(exchange, result.why, challenge);
      else refuseThrottled(exchange, verdict.retryAfterMs);
      return undefined;
    }
    await audit.append({ kind: 'refused', tunnel, visitor, carrier, why: result.why });
    refuseUnauthenticated(exchange, result.why, challenge);
    return undefined;
  }

  /** A stream may outlive the grant that opened it; it must not. */
  #endAt(exchange: Exchange, expiresMs: number): void {
    const { clock } = this.#options;
    const leftMs = expiresMs - clock.now();
    if (leftMs <= 0) return exchange.end('the grant has expired');
    const timer = clock.after(Math.min(leftMs, longestTimerMs), () => this.#endAt(exchange, expiresMs));
    exchange.signal.addEventListener('abort', () => timer.cancel(), { once: true });
  }

  /** A session belongs to the principal that began it; anybody else's is answered as unknown. */
  async #ownSession(exchange: Exchange, principal: Principal, call: Call): Promise<boolean> {
    if (call.sessionId === undefined || call.isInitialize) return true;
    const session = this.#sessions.find(call.sessionId, principal.id);
    if (session === 'foreign') {
      const { visitor, carrier } = exchange.arrival;
      await this.#options.audit.append({
        kind: 'refused',
        tunnel: this.#options.tunnel,
        visitor,
        carrier,
        why: 'foreign-session',
      });
    }
    if (session === undefined || session === 'foreign') {
      refuseSession(exchange);
      return false;
    }
    call.agent = session.agent;
    exchange.recorder.update({ session: call.sessionId.slice(0, 8) });
    return true;
  }

  #decide(principal: Principal, call: Call): Decision {
    return decide(this.#options.policy.current, {
      agent: principal.name,
      scope: principal.scope,
      messages: call.messages,
      annotations: (tool) => this.#catalogue.annotations(tool),
    });
  }

  async #audit(exchange: Exchange, principal: Principal, call: Call, decision: Decision): Promise<void> {
    exchange.recorder.update({ rule: decision.rule });
    const { tunnel, audit, policy, traffic } = this.#options;
    const { visitor, carrier } = exchange.arrival;
    await Promise.all(
      call.audited.map(({ method, name, params }) =>
        audit.append({
          kind: 'call',
          exchange: exchange.recorder.id,
          tunnel,
          visitor,
          carrier,
          principal: { id: principal.id, name: principal.name, grant: principal.grant },
          ...(call.agent === undefined ? {} : { agent: call.agent }),
          method,
          ...(name === undefined ? {} : { name }),
          ...argumentsDigest(params),
          ...(policy.current.audit.values && params !== undefined
            ? { arguments: traffic.redact(JSON.stringify(params)) }
            : {}),
          decision: decision.kind,
          rule: decision.rule,
        }),
      ),
    );
    exchange.audited = true;
  }

  async #forward(exchange: Exchange, principal: Principal, call: Call): Promise<void> {
    const { upstream, policy } = this.#options;
    this.#noteAnswers(exchange, call);
    const answer = await upstream.forward({
      method: call.method,
      headers: towardsUpstream(call.isInitialize ? withoutSession(exchange.headers) : exchange.headers),
      ...(call.body ? { body: call.body } : {}),
      messages: call.messages,
      ...(call.sessionId === undefined || call.isInitialize ? {} : { sessionId: call.sessionId }),
      signal: exchange.signal,
    });
    exchange.recorder.mark('upstreamFirstByte');
    this.#noteSession(exchange, principal, call, answer);

    const observer = new AnswerObserver({
      recorder: exchange.recorder,
      requests: requestIds(call.messages),
      catalogue: this.#catalogue,
      serverRequests: this.#serverRequests,
      session: call.isInitialize ? answer.headers['mcp-session-id'] : call.sessionId,
    });
    await relayAnswer(exchange, answer, observer, listFilter(policy.current, principal));
    if (exchange.cut !== undefined) return this.#finish(exchange, { status: 'cancelled', reason: exchange.cut });
    this.agents.answered();
    this.#finish(exchange, observer.outcome(answer.status));
  }

  /** Answers of the agent to what the server had asked. */
  #noteAnswers(exchange: Exchange, call: Call): void {
    for (const message of call.messages) {
      const method = this.#serverRequests.answered(call.sessionId, message, call.body ?? Buffer.alloc(0));
      if (method !== undefined) exchange.recorder.update({ method, kind: 'response' });
    }
  }

  #noteSession(exchange: Exchange, principal: Principal, call: Call, answer: UpstreamResponse): void {
    const issued = answer.headers['mcp-session-id'];
    if (call.isInitialize && issued !== undefined && answer.status < 300) {
      this.#sessions.add(issued, { principal: principal.id, agent: call.agent ?? principal.name, era: 'legacy' });
      exchange.recorder.update({ session: issued.slice(0, 8) });
    }
    const ended = answer.status === 404 || (call.method === 'DELETE' && answer.status < 300);
    if (!ended || call.sessionId === undefined) return;
    this.#sessions.delete(call.sessionId);
    this.#serverRequests.sessionEnded(call.sessionId);
  }

  #finish(exchange: Exchange, outcome: ReturnType<AnswerObserver['outcome']>): void {
    exchange.recorder.finish(outcome);
    const { audit, log } = this.#options;
    if (!exchange.audited) return;
    audit
      .append({ kind: 'outcome', exchange: exchange.recorder.id, status: outcome.status, ...measured(exchange) })
      .catch((error: unknown) =>
        log(`audit: the outcome of ${exchange.recorder.id} was not written: ${String(error)}`),
      );
  }

  #fail(exchange: Exchange, error: unknown): void {
    if (exchange.cut !== undefined) return this.#finish(exchange, { status: 'cancelled', reason: exchange.cut });
    const info = errorInfo(error);
    if (!isUpstreamFault(info)) this.#options.log(`gateway: ${info.code}: ${info.message}`);
    answerFailure(exchange, info);
    this.#finish(exchange, { status: 'failed' });
  }

  #begin(request: HttpRequest, response: HttpResponse, arrival: Arrival): Exchange {
    const recorder = this.#options.traffic.begin({
      tunnel: this.#options.tunnel,
      direction: 'agent-to-server',
      kind: 'http',
      httpMethod: request.method ?? '',
      path: recordedPath(request, this.#oauth),
      visitor: arrival.visitor,
      headers: Object.entries(request.headers).flatMap(([name, value]) =>
        name.startsWith(':') || value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
    });
    return new Exchange(request, response, arrival, recorder);
  }

  #beginServerRow(method: string, session: string | undefined): ReturnType<TrafficLog['begin']> {
    const recorder = this.#options.traffic.begin({
      tunnel: this.#options.tunnel,
      direction: 'server-to-agent',
      kind: 'request',
      httpMethod: '',
      path: '',
      headers: [],
    });
    const agent = session === undefined ? undefined : this.#sessions.agentOf(session);
    recorder.update({
      method,
      ...(session === undefined ? {} : { session }),
      ...(agent === undefined ? {} : { agent }),
    });
    return recorder;
  }
}

/** What the audit log tells of an answer: its status, how long it took, and how long of that the server took to begin. */
function measured({ recorder }: Exchange): { httpStatus?: number; latencyMs?: number; serverMs?: number } {
  const { row, timings } = recorder.detail();
  const { httpStatus, latencyMs } = row;
  const { auditedMs, upstreamFirstByteMs } = timings;
  return {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    ...(auditedMs === undefined || upstreamFirstByteMs === undefined
      ? {}
      : { serverMs: Math.max(0, upstreamFirstByteMs - auditedMs) }),
  };
}

function withoutSession(headers: Record<string, string>): Record<string, string> {
  const { 'mcp-session-id': _stale, ...rest } = headers;
  return rest;
}
