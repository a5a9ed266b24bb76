// Whether a call has to wait for a person, and its wait: shown without secrets, no longer than its client waits, and
// changed only into what may be sent.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { classifyBody } from '../mcp/classify.ts';
import { clientLimitMs } from '../mcp/clientLimits.ts';
import { maxShownArguments } from '../mcp/heldCall.ts';
import type { Decision } from '../policy/decide.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import { subjectOf } from '../policy/subject.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import { auditedOf, type Call } from './call.ts';
import { keepAliveMs as usualKeepAliveMs } from './eventWriter.ts';
import { longestHoldMs, type HeldCalls, type HoldEnd } from './heldCalls.ts';
import type { Visit } from './openExchanges.ts';
import { WaitingStream } from './waitingStream.ts';

/** What is left for the server to answer in before the client gives up. */
export const marginMs = 5_000;

export type HoldingOptions = {
  tunnel: string;
  clock: Clock;
  policy: PolicyStore;
  traffic: TrafficLog;
  /** Absent: nobody can ever agree. */
  holds?: HeldCalls;
  keepAliveMs?: number;
  /** As rules and grant are now. */
  decide: (visit: Visit, call: Call) => Decision;
};

export class Holding {
  readonly #options: HoldingOptions;

  constructor(options: HoldingOptions) {
    this.#options = options;
  }

  /** The rule or breakpoint for which an allowed call has to wait. */
  reason({ principal }: Visit, call: Call, decision: Exclude<Decision, { kind: 'deny' }>): string | undefined {
    if (decision.kind === 'ask') return decision.rule;
    const { holds, tunnel } = this.#options;
    if (!holds?.hasBreakpoints) return undefined;
    const agents = call.agent === undefined ? [principal.name] : [call.agent, principal.name];
    for (const message of call.messages) {
      const subject = subjectOf(message);
      if (subject.kind !== 'use' || subject.of !== 'tool') continue;
      const args = subject.args ?? {};
      const hit = subject.names.map((tool) => holds.breakpointAt({ tunnel, tool, agents, args })).find(Boolean);
      if (hit !== undefined) return hit;
    }
    return undefined;
  }

  async hold(visit: Visit, call: Call, rule: string): Promise<HoldEnd<Call>> {
    const { exchange, principal } = visit;
    const { tunnel, clock, traffic, holds, keepAliveMs = usualKeepAliveMs } = this.#options;
    exchange.recorder.flag('held');
    const [message] = call.messages;
    if (!holds) return { kind: 'deny', reason: 'a person has to agree to this call, and nobody is there who could' };
    if (call.isBatch || message?.kind !== 'request' || !isJsonObject(message.params)) {
      return { kind: 'deny', reason: 'a person has to agree to this call: send it alone, as a request' };
    }
    const agent = call.agent ?? principal.name;
    const stream = new WaitingStream(exchange, call, { clock, keepAliveMs });
    const args = JSON.stringify(message.params['arguments'] ?? {});
    const shown = traffic.redact(args);
    try {
      return await holds.hold<Call>({
        tunnel,
        exchange: exchange.recorder.id,
        agent: traffic.redact(agent),
        tool: traffic.redact(call.audited[0]?.name ?? ''),
        arguments: shown.slice(0, maxShownArguments),
        isWhole: shown === args && shown.length <= maxShownArguments,
        rule,
        principal: principal.id,
        bytes: call.body?.length ?? 0,
        lastsMs: Math.min(longestHoldMs, clientLimitMs(agent) - marginMs),
        edit: (changed) => this.#edited(visit, call, changed),
        onGone: (callback) => exchange.onOver(callback),
      });
    } finally {
      stream.close();
    }
  }

  /** Throws `USAGE` for what is no call any more, `CONFLICT` for one that may not be made. */
  #edited(visit: Visit, call: Call, args: JsonObject): Call {
    if (Object.keys(visit.exchange.headers).some((name) => name.startsWith('mcp-param-'))) {
      throw new TunnelError('CONFLICT', 'this call repeats arguments in its headers, so they cannot be edited');
    }
    const sent = JSON.parse(call.body!.toString('utf8')) as { [name: string]: JsonValue; params: JsonObject };
    const body = Buffer.from(JSON.stringify({ ...sent, params: { ...sent.params, arguments: args } }));
    const { maxBodyBytes } = this.#options.policy.current.limits;
    if (body.length > maxBodyBytes) throw new TunnelError('USAGE', `the call is larger than ${maxBodyBytes} bytes now`);
    const read = classifyBody(body);
    if (read.kind === 'invalid') throw new TunnelError('USAGE', read.message);
    const edited: Call = { ...call, body, messages: read.messages, audited: read.messages.map(auditedOf) };
    const decision = this.#options.decide(visit, edited);
    if (decision.kind === 'deny') throw new TunnelError('CONFLICT', decision.reason);
    return edited;
  }
}
