// What the audit log tells, one kind of record per thing that happened. Nothing here has a place for a secret or for
// the values of arguments: a call is told by its method, its name and a digest.

export type AuditEvent =
  | {
      kind: 'call';
      exchange: string;
      tunnel: string;
      principal: { id: string; name: string; grant: string };
      visitor: string;
      carrier: string;
      method: string;
      name?: string;
      /** SHA-256 of the arguments, hex. */
      argumentsDigest?: string;
      decision: 'allow' | 'deny';
      rule: string;
    }
  | { kind: 'outcome'; exchange: string; status: string; httpStatus?: number; latencyMs?: number }
  /** Somebody came without a valid credential. */
  | { kind: 'refused'; tunnel: string; visitor: string; carrier: string; why: string }
  | { kind: 'tunnel'; event: 'opened' | 'closed'; tunnel: string; hostname: string; destination: string }
  /** The policy did not let a tunnel go out, or a server be exposed. */
  | { kind: 'denied'; what: 'destination' | 'upstream'; entry: string; file: string }
  | { kind: 'grant'; event: 'added' | 'rotated' | 'revoked'; grant: string; name: string }
  | { kind: 'policy'; event: 'allowed' | 'removed' | 'changed' | 'invalid'; entry?: string; file?: string }
  /** A person agreed to run a server's command; `hash` is that of the launch plan. */
  | { kind: 'consent'; server: string; hash: string };

/** Written by the log itself when it finds that the last record was torn: a process was killed while writing it. */
export type RepairRecord = { kind: 'repaired'; tornBytes: number; tornSha256: string };
