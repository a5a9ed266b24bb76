// What the audit log hears of a call: before the upstream does, one record per message with the decision; after it, how
// the call went. A call whose first record cannot be written goes nowhere.
import { randomUUID } from 'node:crypto';
import type { AuditEvent, HeldAs } from '../audit/auditEvent.ts';
import type { AuditLog } from '../audit/auditLog.ts';
import type { Principal } from '../identity/grants.ts';
import type { Decision } from '../policy/decide.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { ExchangeStatus } from '../mcp/exchange.ts';
import type { TrafficLog } from '../traffic/trafficLog.ts';
import { owner } from './asker.ts';
import { argumentsDigest, type Call } from './call.ts';
import type { Exchange } from './exchange.ts';

export type CallAuditOptions = {
  tunnel: string;
  audit: AuditLog;
  policy: PolicyStore;
  traffic: TrafficLog;
  log: (message: string) => void;
};

/** How a call's wait for a person ended; `original` is the call before it was edited. */
export type HoldNote = { as: HeldAs; original?: Call };

export class CallAudit {
  readonly #options: CallAuditOptions;

  constructor(options: CallAuditOptions) {
    this.#options = options;
  }

  /** Resolves when the records are written; rejects when they cannot be. */
  async begin(
    exchange: Exchange,
    principal: Principal,
    call: Call,
    decision: Exclude<Decision, { kind: 'ask' }>,
    hold?: HoldNote,
  ): Promise<void> {
    exchange.recorder.update({ rule: decision.rule });
    const { tunnel, audit, policy, traffic } = this.#options;
    const { visitor, carrier } = exchange.arrival;
    const written = call.audited.map(({ method, name, params }) =>
      audit.append({
        kind: 'call',
        exchange: exchange.recorder.id,
        tunnel,
        visitor,
        carrier,
        principal: whoIs(principal),
        agent: call.agent === undefined ? undefined : traffic.redact(call.agent),
        method: traffic.redact(method),
        name: name === undefined ? undefined : traffic.redact(name), // A URI may hold a key.
        argumentsDigest: argumentsDigest(params),
        arguments:
          policy.current.audit.values && params !== undefined ? traffic.redact(JSON.stringify(params)) : undefined,
        decision: decision.kind,
        rule: decision.rule,
        held: hold?.as,
        originalDigest: hold?.original && argumentsDigest(hold.original.audited[0]?.params),
      }),
    );
    await (written.length === 1 ? written[0] : Promise.all(written));
    exchange.audited = true;
  }

  /** The owner asks the server something: resolves with what hears how it went. */
  async own(method: string): Promise<(status: ExchangeStatus) => Promise<void>> {
    const { tunnel, audit } = this.#options;
    const exchange = randomUUID();
    const principal = { ...owner };
    const told = { visitor: '', carrier: 'control', method, decision: 'allow', rule: 'the owner asks' } as const;
    await audit.append({ kind: 'call', exchange, tunnel, principal, ...told });
    return (status) => audit.append({ kind: 'outcome', exchange, status });
  }

  /** Somebody used a session of another principal. */
  foreignSession({ arrival: { visitor, carrier } }: Exchange): Promise<void> {
    const { audit, tunnel } = this.#options;
    return audit.append({ kind: 'refused', tunnel, visitor, carrier, why: 'foreign-session' });
  }

  /** Nothing waits for it; nothing at all for an exchange whose call was never written. */
  finish(exchange: Exchange, status: ExchangeStatus): void {
    if (!exchange.audited) return;
    const { audit, log } = this.#options;
    const { id } = exchange.recorder;
    audit
      .appendSoon(outcome(exchange, status))
      .catch((error: unknown) => log(`audit: the outcome of ${id} was not written: ${String(error)}`));
  }
}

function whoIs({ id, name, grant, subject }: Principal): Extract<AuditEvent, { kind: 'call' }>['principal'] {
  return { id, name, grant, subject };
}

/** What the audit log tells of an answer: its status, how long it took, and how long of that the server took to begin. */
function outcome({ recorder }: Exchange, status: ExchangeStatus): Extract<AuditEvent, { kind: 'outcome' }> {
  const { httpStatus, latencyMs, auditedMs, upstreamFirstByteMs } = recorder.measures;
  const serverMs =
    auditedMs === undefined || upstreamFirstByteMs === undefined
      ? undefined
      : Math.max(0, upstreamFirstByteMs - auditedMs);
  return { kind: 'outcome', exchange: recorder.id, status, httpStatus, latencyMs, serverMs };
}
