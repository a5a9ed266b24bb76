// One exchange, from bytes in to bytes out: arrive → authenticate → read → classify → own the session → decide →
// audit → forward → relay → record. Every refusal returns early; nothing reaches the upstream without a principal,
// a decision and a written audit record.
import type { Clock } from '../core/clock.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import type { AuditLog } from '../audit/auditLog.ts';
import type { GrantStore, Principal } from '../identity/grants.ts';
import type { Throttle } from '../identity/throttle.ts';
import { rpcCode } from '../mcp/rpcErrors.ts';
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
import type { Arrival, HttpRequest, HttpResponse } from './http.ts';
import { listFilter } from './listFilter.ts';
import {
  answerFailure,
  answerOptions,
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

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.agents = new AgentsSeen(options.clock);
    this.#serverRequests = new ServerRequests((method) => this.#beginServerRow(method));
  }

  /** Takes one visitor's request; never throws, and answers every fault. */
  readonly handle = (request: HttpRequest, response: HttpResponse, arrival: Arrival): void => {
    const exchange = this.#begin(request, response, arrival);
    this.#serve(exchange)
      .catch((error: unknown) => this.#fail(exchange, error))
      .finally(() => this.#inFlight.delete(exchange));
  };

  /** A grant was revoked: what it has open ends now. */
  endGrant(grant: string): void {
    for (const [exchange, principal] of this.#inFlight) if (principal.grant === grant) exchange.end();
  }

  async #serve(exchange: Exchange): Promise<void> {
    const arrival = checkArrival(exchange.request, exchange.arrival);
    if (arrival.kind === 'options') return answerOptions(exchange);
    if (arrival.kind === 'refused') return refuseArrival(exchange, arrival.status, arrival.reason);

    const principal = await this.#authenticate(exchange);
    if (!principal) return;
    this.#inFlight.set(exchange, principal);

    const { limits } = this.#options.policy.current;
    const call = await readCall(exchange, arrival.method, limits.maxBodyBytes);
    if (!call || !(await this.#ownSession(exchange, principal, call))) return;
    exchange.recorder.update({ agent: call.agent ?? principal.name, era: call.era });

    const decision = this.#decide(principal, call);
    const slot = decision.kind === 'allow' ? this.#options.limiter.acquire(principal.id, limits) : undefined;
    exchange.recorder.mark('decided');
    await this.#audit(exchange, principal, call, decision);
    exchange.recorder.mark('audited');

    const agent = call.agent ?? principal.name;
    if (decision.kind === 'deny') this.agents.refused(agent, principal.name);
    else this.agents.called(agent, principal.name);
    if (decision.kind === 'deny') return refuseCall(exchange, call, decision);
    if (slot?.kind === 'limited') return refuseLimit(exchange, slot.limit, slot.retryAfterMs);

    try {
      await this.#forward(exchange, principal, call);
    } finally {
      if (slot?.kind === 'granted') slot.release();
    }
  }

  async #authenticate(exchange: Exchange): Promise<Principal | undefined> {
    const { grants, throttle, audit, tunnel, serverId, clock } = this.#options;
    const result = grants.authenticate(exchange.headers['authorization'], serverId);
    if (result.kind === 'principal') {
      const { principal } = result;
      exchange.recorder.update({ principal: { kind: principal.kind, name: principal.name, grant: principal.grant } });
      // A stream may outlive the grant that opened it; it must not.
      const timer = clock.after(Math.min(result.expiresMs - clock.now(), 2 ** 31 - 1), () => exchange.end());
      exchange.signal.addEventListener('abort', () => timer.cancel(), { once: true });
      return principal;
    }
    const { visitor, carrier } = exchange.arrival;
    await audit.append({ kind: 'refused', tunnel, visitor, carrier, why: result.why });
    const verdict = throttle.failed(visitor);
    if (verdict.kind === 'limited') refuseThrottled(exchange, verdict.retryAfterMs);
    else refuseUnauthenticated(exchange, result.why);
    return undefined;
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
    const { tunnel, audit } = this.#options;
    const { visitor, carrier } = exchange.arrival;
    for (const { method, name, params } of call.audited) {
      await audit.append({
        kind: 'call',
        exchange: exchange.recorder.id,
        tunnel,
        visitor,
        carrier,
        principal: { id: principal.id, name: principal.name, grant: principal.grant },
        method,
        ...(name === undefined ? {} : { name }),
        ...argumentsDigest(params),
        decision: decision.kind,
        rule: decision.rule,
      });
    }
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
      session: call.sessionId,
    });
    await relayAnswer(exchange, answer, observer, listFilter(policy.current, principal, call.messages));
    this.agents.answered();
    const outcome = observer.outcome(answer.status);
    this.#finish(exchange, exchange.leftEarly ? { status: 'cancelled', reason: 'the agent left' } : outcome);
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
    if (ended && call.sessionId !== undefined) this.#sessions.delete(call.sessionId);
  }

  #finish(exchange: Exchange, outcome: ReturnType<AnswerObserver['outcome']>): void {
    exchange.recorder.finish(outcome);
    const { audit, log } = this.#options;
    audit
      .append({ kind: 'outcome', exchange: exchange.recorder.id, status: outcome.status })
      .catch((error: unknown) =>
        log(`audit: the outcome of ${exchange.recorder.id} was not written: ${String(error)}`),
      );
  }

  #fail(exchange: Exchange, error: unknown): void {
    if (exchange.leftEarly) return this.#finish(exchange, { status: 'cancelled', reason: 'the agent left' });
    const info = errorInfo(error);
    if (!(error instanceof TunnelError)) this.#options.log(`gateway: ${String(error)}`);
    this.#finish(exchange, { status: 'failed', rpcCode: rpcCode.upstreamUnavailable, reason: info.message });
    answerFailure(exchange, info);
  }

  #begin(request: HttpRequest, response: HttpResponse, arrival: Arrival): Exchange {
    const recorder = this.#options.traffic.begin({
      tunnel: this.#options.tunnel,
      direction: 'agent-to-server',
      kind: 'http',
      httpMethod: request.method ?? '',
      path: request.url ?? '',
      visitor: arrival.visitor,
      headers: Object.entries(request.headers).flatMap(([name, value]) =>
        name.startsWith(':') || value === undefined ? [] : [[name, String(value)] as [string, string]],
      ),
    });
    return new Exchange(request, response, arrival, recorder);
  }

  #beginServerRow(method: string): ReturnType<TrafficLog['begin']> {
    const recorder = this.#options.traffic.begin({
      tunnel: this.#options.tunnel,
      direction: 'server-to-agent',
      kind: 'request',
      httpMethod: '',
      path: '',
      headers: [],
    });
    recorder.update({ method });
    return recorder;
  }
}

function withoutSession(headers: Record<string, string>): Record<string, string> {
  const { 'mcp-session-id': _stale, ...rest } = headers;
  return rest;
}
