// One exchange, from bytes in to bytes out: arrive → authenticate → read → classify → own the session → decide →
// audit → forward → relay → record. Every refusal returns early; nothing reaches the upstream without a principal,
// a decision and a written audit record.
import type { Clock } from '../core/clock.ts';
import { errorInfo } from '../core/errors.ts';
import { Lifetime } from '../core/lifetime.ts';
import type { AuditLog } from '../audit/auditLog.ts';
import type { GrantStore, Principal } from '../identity/grants.ts';
import type { IssuerKeys } from '../identity/jwt/issuerKeys.ts';
import type { OAuthDoor } from '../identity/oauth/oauthDoor.ts';
import type { Throttle } from '../identity/throttle.ts';
import { isUpstreamFault } from '../mcp/failures.ts';
import { decide, type Decision } from '../policy/decide.ts';
import type { RateLimiter } from '../policy/limits.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { AgentsSeen } from './agentsSeen.ts';
import type { AnswerOutcome } from './answerObserver.ts';
import { checkArrival, type ArrivalVerdict } from './arrivalCheck.ts';
import { askTools, type ServerTools } from './askTools.ts';
import { readCall, type Call } from './call.ts';
import { CallAudit, type HoldNote } from './callAudit.ts';
import { Doorkeeper } from './doorkeeper.ts';
import { Exchange } from './exchange.ts';
import { Forwarding } from './forwarding.ts';
import type { HeldCalls } from './heldCalls.ts';
import { Holding } from './holding.ts';
import { headersOf, type Arrival, type HttpRequest, type HttpResponse } from './http.ts';
import { recordedPath, serveOAuth } from './oauthRequest.ts';
import { OpenExchanges, type Visit } from './openExchanges.ts';
import {
  answerFailure,
  answerMocked,
  answerOptions,
  refuseArrival,
  refuseCall,
  refuseLimit,
  refuseSession,
} from './refusals.ts';
import { ServerEvents } from './serverEvents.ts';
import { ToolCatalogue, type ToolAnnotations } from './toolCatalogue.ts';

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
  /** Whose an agent's `Authorization` is: the tunnel's (the upstream never sees it), or the upstream's own. */
  auth?: 'tunnel' | 'upstream';
  /** Of issuers whose JWTs let agents in; without it none does. */
  issuerKeys?: IssuerKeys;
  /** Where calls wait for a person; absent: a call that has to is refused. */
  holds?: HeldCalls;
  /** A stream on which nothing moved for this long gets a comment; absent: 15 s. */
  keepAliveMs?: number;
  log: (message: string) => void;
};

/** What is decided once nobody has to be asked any more. */
type Decided = Exclude<Decision, { kind: 'ask' }>;

export class Gateway {
  readonly agents: AgentsSeen;
  readonly #options: GatewayOptions;
  readonly #catalogue = new ToolCatalogue();
  readonly #forwarding: Forwarding;
  readonly #door: Doorkeeper;
  readonly #open: OpenExchanges;
  readonly #audit: CallAudit;
  readonly #holding: Holding;
  readonly #lifetime = new Lifetime();
  #urls: readonly string[] = [];

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.agents = new AgentsSeen(options.clock);
    this.#door = new Doorkeeper(options);
    this.#open = new OpenExchanges({
      clock: options.clock,
      judgeAgain: (proof) => this.#door.judgeAgain(proof),
      decide: (principal, call) => this.#decide(principal, call),
    });
    this.#audit = new CallAudit(options);
    this.#holding = new Holding({ ...options, decide: ({ principal }, call) => this.#decide(principal, call) });
    this.#forwarding = new Forwarding({
      ...options,
      catalogue: this.#catalogue,
      asked: () => ({ upstream: options.upstream, auth: options.auth, urls: this.#urls }),
      onAnswered: () => this.agents.answered(),
      finish: (exchange, outcome) => this.#finish(exchange, outcome),
    });
  }

  /** Takes one visitor's request; never throws, and answers every fault. */
  readonly handle = (request: HttpRequest, response: HttpResponse, arrival: Arrival): void => {
    const exchange = this.#begin(request, response, arrival);
    this.#serve(exchange).catch((error: unknown) => this.#fail(exchange, error));
  };

  /** From now on what is open is judged again whenever the policy or a grant becomes another one. */
  start(): void {
    const { policy, grants } = this.#options;
    const events = new ServerEvents({ ...this.#options, agentOf: this.#forwarding.agentOf });
    this.#lifetime.defer(this.#options.upstream.onEvent(events.note));
    this.#lifetime.defer(policy.onChange(() => this.#open.judgeAgain('the policy changed')));
    this.#lifetime.defer(grants.onChanged((grant) => this.#open.judgeAgain('the grant changed', grant)));
    this.#lifetime.defer(grants.onRevoked((grant) => this.#open.endGrant(grant)));
  }

  /** Ends what is open. */
  async close(): Promise<void> {
    await this.#lifetime.close();
    this.#open.close();
  }

  /** Asks the server itself for its tools, as its owner. Throws `UPSTREAM_*`. */
  async tools(signal: AbortSignal): Promise<ServerTools> {
    const { upstream, clock } = this.#options;
    const done = await this.#audit.own('tools/list');
    try {
      const listed = await askTools(upstream, clock, signal);
      this.#catalogue.learn(listed.tools);
      await done('ok');
      return listed;
    } catch (error) {
      await done('failed');
      throw error;
    }
  }

  /** What the server last said of a tool; `undefined` for one it never listed. */
  annotations(tool: string): ToolAnnotations | undefined {
    return this.#catalogue.annotations(tool);
  }

  /** PEM of the authorities whose certificates let agents in now; TLS asks for one of theirs, where there are any. */
  readonly clientAuthorities = (): readonly string[] => this.#door.clientAuthorities();

  /** Every URL that an agent may have been given. */
  announce(urls: readonly string[]): void {
    this.#urls = urls;
  }

  /** From now on agents may also ask to be let in. */
  letInBy(oauth: OAuthDoor): void {
    this.#door.letInBy(oauth);
  }

  async #serve(exchange: Exchange): Promise<void> {
    const { oauth } = this.#door;
    const arrival = checkArrival(
      exchange.request,
      exchange.arrival,
      this.#door.holderOf,
      oauth,
      this.#options.auth === 'upstream',
    );
    if (arrival.kind === 'options') return answerOptions(exchange);
    if (arrival.kind === 'refused') return refuseArrival(exchange, arrival.status, arrival.reason);
    if (arrival.kind === 'guessed') return this.#door.refuseGuess(exchange, arrival.why, arrival.refusal);
    if (arrival.kind === 'oauth') return serveOAuth(exchange, oauth!, arrival.what);

    const visit = await this.#authenticate(exchange, arrival.secret);
    if (!visit) return;
    try {
      await this.#serveVisit(visit, arrival);
    } finally {
      this.#open.delete(visit);
    }
  }

  async #serveVisit(visit: Visit, arrival: Extract<ArrivalVerdict, { kind: 'mcp' }>): Promise<void> {
    const { exchange } = visit;
    // Before the body is read: what waits in memory is bounded, too, and so is what refusals add to the audit log.
    const { limits } = this.#options.policy.current;
    const slot = this.#options.limiter.acquire(visit.principal.id, limits);
    if (slot.kind === 'limited') return refuseLimit(exchange, slot.limit, slot.retryAfterMs);
    try {
      exchange.recorder.countBytes(spending(this.#options.limiter, visit.principal.id));
      const call = await readCall(exchange, arrival, limits.maxBodyBytes);
      if (call) this.#options.limiter.charge(visit.principal.id, Math.max(0, call.messages.length - 1));
      if (call && (await this.#ownSession(visit, call))) await this.#serveCall(visit, call);
    } finally {
      slot.release();
    }
  }

  async #serveCall(visit: Visit, call: Call): Promise<void> {
    const { exchange, principal } = visit;
    const agent = call.agent ?? principal.name;
    exchange.recorder.update({ agent, era: call.era });
    visit.call = call; // In the same breath as the decision: a change of the rules finds the one or the other.
    const decision = this.#decide(principal, call);
    exchange.recorder.mark('decided');
    if (decision.kind === 'deny') return this.#carryOut(visit, call, decision);
    const asks = this.#holding.reason(visit, call, decision);
    if (asks !== undefined) return this.#serveHeld(visit, call, asks);
    return this.#carryOut(visit, call, { kind: 'allow', rule: decision.rule });
  }

  /** Nothing is audited or sent before its wait is over: it may become another call. */
  async #serveHeld(visit: Visit, call: Call, asks: string): Promise<void> {
    const { exchange } = visit;
    const end = await this.#holding.hold(visit, call, asks);
    const denied = (reason: string): Decided => ({ kind: 'deny', rule: asks, reason, messageIndex: 0 });
    const cut = exchange.cut ?? (end.kind === 'gone' ? 'the agent left' : undefined);
    if (cut !== undefined) {
      await this.#audit.begin(exchange, visit.principal, call, denied(cut), { as: 'gone' });
      return this.#finish(exchange, { status: 'cancelled', reason: cut });
    }
    switch (end.kind) {
      case 'gone':
        return;
      case 'deny':
        return this.#carryOut(visit, call, denied(end.reason), { as: 'denied' });
      case 'mock': {
        await this.#audit.begin(exchange, visit.principal, call, denied('answered by a person'), { as: 'mocked' });
        exchange.recorder.flag('mocked');
        answerMocked(exchange, call, end.result, (text) => this.#forwarding.say(call.sessionId ?? '', text));
        return this.#audit.finish(exchange, 'ok');
      }
      case 'continue': {
        const sent = end.edited ?? call;
        visit.call = sent; // In the same breath as the decision, as before.
        const decision = this.#decide(visit.principal, sent);
        if (decision.kind === 'deny') return this.#carryOut(visit, sent, decision, { as: 'denied' });
        if (end.edited?.body) {
          exchange.recorder.flag('edited');
          exchange.recorder.message('agent-to-server', end.edited.body);
        }
        const note: HoldNote = end.edited ? { as: 'edited', original: call } : { as: 'continued' };
        return this.#carryOut(visit, sent, { kind: 'allow', rule: asks }, note);
      }
    }
  }

  async #carryOut(visit: Visit, call: Call, decision: Decided, hold?: HoldNote): Promise<void> {
    const { exchange, principal } = visit;
    const agent = call.agent ?? principal.name;
    await this.#audit.begin(exchange, principal, call, decision, hold);
    exchange.recorder.mark('audited');

    if (decision.kind === 'deny') {
      this.agents.refused(agent, principal, exchange.arrival.visitor);
      return refuseCall(exchange, call, decision, (text) => this.#forwarding.say(call.sessionId ?? '', text));
    }
    this.agents.called(agent, principal, exchange.arrival.visitor);
    if (exchange.cut !== undefined) return this.#finish(exchange, { status: 'cancelled', reason: exchange.cut });
    await this.#forwarding.forward(visit, call);
  }

  async #authenticate(exchange: Exchange, secret: string | undefined): Promise<Visit | undefined> {
    const heard = secret === undefined ? await this.#door.hear(exchange) : undefined;
    const result = this.#door.authenticate(exchange, secret, heard);
    if (result.kind === 'refused') {
      await this.#door.refuse(exchange, result);
      return undefined;
    }
    const { principal, expiresMs, proof } = result;
    const visit: Visit = { exchange, principal, expiresMs, proof };
    this.#open.add(visit); // In the same breath: no revocation may slip in between.
    exchange.recorder.update({ principal: shownPrincipal(principal) });
    return visit;
  }

  /** Somebody else's session is answered as one that never was. */
  async #ownSession(visit: Visit, call: Call): Promise<boolean> {
    const session = this.#forwarding.admit(visit, call);
    if (session === 'own') return true;
    if (session === 'foreign') await this.#audit.foreignSession(visit.exchange);
    refuseSession(visit.exchange);
    return false;
  }

  #decide(principal: Principal, call: Call): Decision {
    return decide(this.#options.policy.current, {
      agent: principal.name,
      scope: principal.scope,
      messages: call.messages,
      annotations: (tool) => this.#catalogue.annotations(tool),
    });
  }

  #finish(exchange: Exchange, outcome: AnswerOutcome): void {
    exchange.recorder.finish(outcome);
    this.#audit.finish(exchange, outcome.status);
  }

  #fail(exchange: Exchange, error: unknown): void {
    if (exchange.cut !== undefined) return this.#finish(exchange, { status: 'cancelled', reason: exchange.cut });
    const info = errorInfo(error);
    if (!isUpstreamFault(info)) this.#options.log(`gateway: ${info.code}: ${info.message}`);
    answerFailure(exchange, info);
    this.#finish(exchange, { status: 'failed' });
  }

  #begin(request: HttpRequest, response: HttpResponse, arrival: Arrival): Exchange {
    const headers = headersOf(request);
    const recorder = this.#options.traffic.begin({
      tunnel: this.#options.tunnel,
      direction: 'agent-to-server',
      kind: 'http',
      stranger: true,
      httpMethod: request.method ?? '',
      path: recordedPath(request, this.#door.oauth),
      visitor: arrival.visitor,
      headers: Object.entries(headers),
    });
    return new Exchange({ request, response, arrival, headers }, recorder);
  }
}

function shownPrincipal({ kind, name, grant, subject }: Principal): { kind: string; name: string; grant: string } {
  return { kind, name: subject === undefined ? name : `${name}: ${subject}`, grant };
}

/** Made where nothing else is in sight: rows are kept, and would keep sockets with them. */
function spending(limiter: RateLimiter, principal: string): (bytes: number) => void {
  return (bytes) => limiter.spent(principal, bytes);
}
