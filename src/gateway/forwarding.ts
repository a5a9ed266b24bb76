// A call on its way to the server and back: its session, what the server asks of the agent meanwhile, and the answer,
// relayed as it comes. On the old transport the answer comes on the agent's stream instead.
import type { Clock } from '../core/clock.ts';
import type { Principal } from '../identity/grants.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import { cancelledId } from '../upstream/serverRequestIds.ts';
import type { UpstreamResponse } from '../upstream/upstream.ts';
import { rpcCode } from '../mcp/rpcErrors.ts';
import { answerAsEvents } from './answerAsEvents.ts';
import { AnswerObserver, type AnswerOutcome } from './answerObserver.ts';
import { askUpstream, type Asked } from './askUpstream.ts';
import { requestIds, type Call } from './call.ts';
import { keepAliveMs as usualKeepAliveMs, type EventWriter } from './eventWriter.ts';
import type { Exchange } from './exchange.ts';
import { filterNow } from './listFilter.ts';
import type { Visit } from './openExchanges.ts';
import { refuseLimit, refuseMessage } from './refusals.ts';
import { relayAnswer } from './relay.ts';
import { ServerRequests } from './serverRequests.ts';
import { SessionTable } from './sessions.ts';
import { SseSessions } from './sseSessions.ts';
import type { ToolCatalogue } from './toolCatalogue.ts';

export type ForwardingOptions = {
  tunnel: string;
  clock: Clock;
  policy: PolicyStore;
  traffic: TrafficLog;
  catalogue: ToolCatalogue;
  /** A stream on which nothing moved for this long gets a comment; absent: {@link usualKeepAliveMs}. */
  keepAliveMs?: number;
  asked: () => Asked;
  /** An answer of the server has reached an agent. */
  onAnswered: () => void;
  finish: (exchange: Exchange, outcome: AnswerOutcome) => void;
};

export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #sessions = new SessionTable();
  readonly #sse = new SseSessions();
  readonly #serverRequests: ServerRequests;

  constructor(options: ForwardingOptions) {
    this.#options = options;
    this.#serverRequests = new ServerRequests((method, session) => this.#beginServerRow(method, session));
  }

  /** What the agent of this session called itself. */
  readonly agentOf = (session: string): string | undefined => this.#sessions.agentOf(session);

  /** Tells a session of the old transport something of ours; `false` where its stream is gone. */
  readonly say = (session: string, text: string): ReturnType<SseSessions['say']> => this.#sse.say(session, text);

  /** A session belongs to the principal that began it; anybody else's is answered as unknown. */
  admit({ exchange, principal }: Visit, call: Call): 'own' | 'foreign' | 'unknown' {
    if (call.sessionId === undefined) return 'own';
    const session = this.#sessions.find(call.sessionId, principal.id);
    if (session === undefined) return 'unknown';
    if (session === 'foreign') return 'foreign';
    call.agent ??= session.agent;
    if (call.isInitialize) session.agent = call.agent;
    exchange.recorder.update({ session: call.sessionId.slice(0, 8) });
    return 'own';
  }

  async forward(visit: Visit, call: Call): Promise<void> {
    const { exchange } = visit;
    this.#noteAnswers(exchange, call);
    const observer = this.#observe(exchange, call);
    if (!call.isSse || observer.unanswered.length === 0) return this.#forwardNow(visit, call, observer);

    // Its answer comes on the agent's stream, perhaps before the server has said that it took the call. Until then it is
    // under way: it counts as one, and is judged again like any other.
    const { sessionId = '' } = call;
    const inUse = this.#sse.inUse(sessionId, observer);
    if (inUse !== undefined) {
      return refuseMessage(exchange, rpcCode.invalidRequest, 'Invalid Request: a call with this id is running', inUse);
    }
    let resolve = (): void => {};
    const answered = new Promise<void>((done) => (resolve = done));
    const finish = (outcome: AnswerOutcome): void => {
      this.#options.finish(exchange, outcome);
      resolve();
    };
    if (!this.#sse.expect(sessionId, { observer, finish })) return refuseLimit(exchange, 'of waiting calls', 1_000);
    visit.onWithdrawn = (why, answers) => {
      this.#sse.cutOff(sessionId, observer, answers);
      // Before that the exchange is still open, and ends as any other.
      if (exchange.response.writableEnded) finish({ status: 'cancelled', reason: why });
    };
    try {
      await this.#forwardNow(visit, call, observer);
    } catch (error) {
      this.#sse.withdraw(sessionId, observer);
      throw error;
    }
    if (this.#sse.waits(sessionId, observer)) await answered;
  }

  async #forwardNow(visit: Visit, call: Call, observer: AnswerObserver): Promise<void> {
    const { exchange, principal } = visit;
    const { policy, clock, asked, keepAliveMs = usualKeepAliveMs } = this.#options;
    const answer = await askUpstream(asked(), exchange, principal, call);
    exchange.recorder.mark('upstreamFirstByte');
    this.#noteSession(exchange, principal, call, answer);
    const { sseSession } = answer;
    observer.session =
      sseSession ?? (call.isInitialize && !call.isSse ? answer.headers['mcp-session-id'] : call.sessionId);

    const onWriter = (writer: EventWriter): void => this.#sse.opened(sseSession!, writer);
    const options = { clock, keepAliveMs, ...(sseSession === undefined ? {} : { onWriter }) };
    try {
      const rules = filterNow(policy, visit);
      const filter = sseSession === undefined ? rules : this.#sse.withoutCutOff(sseSession, rules);
      const relayed = exchange.isWaiting ? await answerAsEvents(answer, exchange.rpcId, exchange.signal) : answer;
      const broken = await relayAnswer(exchange, relayed, observer, filter, options);
      if (exchange.cut !== undefined)
        return this.#options.finish(exchange, { status: 'cancelled', reason: exchange.cut });
      if (call.isSse && answer.status < 300 && observer.unanswered.length > 0) return;
      if (call.isSse) this.#sse.withdraw(call.sessionId!, observer);
      if (call.isSse && answer.status < 300) this.#noteWithdrawals(call);
      if (!broken) this.#options.onAnswered();
      this.#options.finish(exchange, broken ?? observer.outcome(answer.status));
    } finally {
      if (sseSession !== undefined) this.#endSse(sseSession);
    }
  }

  #observe(exchange: Exchange, call: Call): AnswerObserver {
    const observer: AnswerObserver = new AnswerObserver({
      recorder: exchange.recorder,
      requests: requestIds(call.messages),
      catalogue: this.#options.catalogue,
      serverRequests: this.#serverRequests,
      onAnswer: (id, text) => this.#sse.answered(observer.session ?? '', id, text),
    });
    return observer;
  }

  #noteWithdrawals({ sessionId = '', messages }: Call): void {
    for (const message of messages) {
      const id = cancelledId(message);
      if (id !== undefined) this.#sse.withdrawn(sessionId, id);
    }
  }

  /** With its stream a session of the old transport is over. */
  #endSse(session: string): void {
    this.#sse.closed(session);
    this.#sessions.delete(session);
    this.#serverRequests.sessionEnded(session);
  }

  /** Answers of the agent to what the server had asked. */
  #noteAnswers(exchange: Exchange, call: Call): void {
    for (const message of call.messages) {
      const method = this.#serverRequests.answered(call.sessionId, message, call.body ?? Buffer.alloc(0));
      if (method !== undefined) exchange.recorder.update({ method, kind: 'response' });
    }
  }

  #noteSession(exchange: Exchange, principal: Principal, call: Call, answer: UpstreamResponse): void {
    const issued = answer.sseSession ?? (call.isSse ? undefined : answer.headers['mcp-session-id']);
    if ((call.isInitialize || answer.sseSession !== undefined) && issued !== undefined && answer.status < 300) {
      this.#sessions.add(issued, { principal: principal.id, agent: call.agent ?? principal.name, era: 'legacy' });
      exchange.recorder.update({ session: issued.slice(0, 8) });
    }
    if (call.isSse) return;
    const ended = answer.status === 404 || (call.method === 'DELETE' && answer.status < 300);
    if (!ended || call.sessionId === undefined) return;
    this.#sessions.delete(call.sessionId);
    this.#serverRequests.sessionEnded(call.sessionId);
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
