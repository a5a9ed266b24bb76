// What the helper itself tells the audit log: who was given what, what was opened, agreed to and denied, under which
// policy. Calls are told by the gateway.
import { createHash } from 'node:crypto';
import type { AuditEvent } from '../audit/auditEvent.ts';
import type { AuditLog } from '../audit/auditLog.ts';
import type { Clock } from '../core/clock.ts';
import { errorInfo } from '../core/errors.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { GrantInfo, TunnelInfo } from '../protocol/control.ts';

export type GrantChange = 'added' | 'rotated' | 'changed' | 'revoked';

export function grantEvent(event: GrantChange, { id, name, scope, expiresMs, way }: GrantInfo): AuditEvent {
  const { servers, readOnly } = scope;
  const lists = (['methods', 'tools', 'prompts', 'resources'] as const).flatMap((list) => {
    const patterns = scope[list];
    return patterns === undefined ? [] : [[list, patterns.join(' ')]];
  });
  return {
    kind: 'grant',
    event,
    grant: id,
    name,
    servers: servers.join(' '),
    ...Object.fromEntries(lists),
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(way ? { way: way.kind } : {}),
    ...(way?.kind === 'certificate' ? { signedBy: way.ca } : way?.kind === 'jwt' ? { signedBy: way.issuer } : {}),
    expiresMs,
  };
}

/** Characters of the addresses that a tunnel lets in. */
const maxAllowFrom = 1000;

export class AuditNotes {
  readonly #audit: AuditLog;
  readonly #policy: PolicyStore;
  readonly #clock: Clock;

  constructor(audit: AuditLog, policy: PolicyStore, clock: Clock) {
    this.#audit = audit;
    this.#policy = policy;
    this.#clock = clock;
  }

  grant(event: GrantChange, grant: GrantInfo): Promise<void> {
    return this.#audit.append(grantEvent(event, grant));
  }

  /** `why` is the failure's code. */
  tunnel(event: 'opened' | 'changed' | 'closed' | 'failed', tunnel: TunnelInfo, why?: string): Promise<void> {
    const { id, server, hostname = '', destination, openedMs, allowFrom } = tunnel;
    return this.#audit.append({
      kind: 'tunnel',
      event,
      tunnel: id,
      server: server.name,
      hostname,
      destination: destination.carrier,
      ...('host' in destination ? { edge: destination.host } : {}),
      ...(allowFrom ? { allowFrom: allowFrom.join(' ').slice(0, maxAllowFrom) } : {}),
      policy: this.#policyDigest(),
      durationMs: Math.max(0, this.#clock.now() - openedMs),
      ...(why === undefined ? {} : { why }),
    });
  }

  /** Runs `check`. What it throws is noted first: which entry the policy lacks, or that its file cannot be read. */
  async demand(what: 'destination' | 'upstream', check: () => void): Promise<void> {
    try {
      check();
    } catch (error) {
      const { entry, file } = (errorInfo(error).data ?? {}) as { entry?: string; file?: string };
      await this.#audit.append({ kind: 'denied', what, entry: entry ?? '', file: file ?? '' });
      throw error;
    }
  }

  /** `event` is how far an agent's request to be let in has come. */
  pairing(
    event: string,
    tunnel: string,
    { name, redirectHost }: { name: string; redirectHost: string },
  ): Promise<void> {
    return this.#audit.append({ kind: 'pairing', event, tunnel, client: name, redirectHost });
  }

  consent(server: string, hash: string): Promise<void> {
    return this.#audit.append({ kind: 'consent', server, hash });
  }

  preview(server: string, hash: string): Promise<void> {
    return this.#audit.append({ kind: 'preview', server, hash });
  }

  allowed(entry: object, file: string): Promise<void> {
    return this.#audit.append({ kind: 'policy', event: 'allowed', entry: JSON.stringify(entry), file });
  }

  /** Somebody changed what the user's file says of an agent. */
  ruleEdited(edit: object, file: string): Promise<void> {
    return this.#audit.append({ kind: 'policy', event: 'edited', entry: JSON.stringify(edit), file });
  }

  /** The policy has become another one, whoever wrote it. */
  async policyChanged(): Promise<void> {
    const { problems } = this.#policy.current;
    await this.#audit.append({ kind: 'policy', event: 'changed', sha256: this.#policyDigest() });
    for (const { data } of problems) {
      const file = data?.['file'];
      await this.#audit.append({
        kind: 'policy',
        event: 'invalid',
        ...(typeof file === 'string' ? { file } : {}),
      });
    }
  }

  #policyDigest(): string {
    return createHash('sha256').update(JSON.stringify(this.#policy.current.layers)).digest('hex');
  }
}
