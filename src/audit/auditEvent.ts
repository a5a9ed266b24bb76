// What the audit log tells, one kind of record per thing that happened. Nothing here has a place for a secret; a call is
// told by its method, its name and the digest of its arguments, and by their values only where the policy asks for it.

/** `denied`: by a person, or because nobody agreed in time; `gone`: its agent did not wait. */
export type HeldAs = 'continued' | 'edited' | 'denied' | 'mocked' | 'gone';

export type AuditEvent =
  | {
      kind: 'call';
      exchange: string;
      tunnel: string;
      /** `subject` is who a certificate or a JWT says it is. */
      principal: { id: string; name: string; grant: string; subject?: string | undefined };
      /** Name the agent gave itself; written by strangers. */
      agent?: string | undefined;
      visitor: string;
      carrier: string;
      method: string;
      name?: string | undefined;
      /** SHA-256 of the arguments, hex. */
      argumentsDigest?: string | undefined;
      /** The arguments as JSON, known secrets taken out; only where the policy asks for them. */
      arguments?: string | undefined;
      decision: 'allow' | 'deny';
      rule: string;
      /** What became of a call that waited for a person. */
      held?: HeldAs | undefined;
      /** SHA-256 of the arguments as the agent sent them, where a person changed them. */
      originalDigest?: string | undefined;
    }
  /**
   * How the call of the same exchange went; `latencyMs` from its first byte to the last of the answer, `serverMs` until
   * the server began to answer.
   */
  | {
      kind: 'outcome';
      exchange: string;
      status: string;
      httpStatus?: number | undefined;
      latencyMs?: number | undefined;
      serverMs?: number | undefined;
    }
  /** Somebody came without a valid credential, or with another principal's session. */
  | { kind: 'refused'; tunnel: string; visitor: string; carrier: string; why: string }
  | {
      kind: 'tunnel';
      /** `changed`: whose addresses may connect. */
      event: 'opened' | 'changed' | 'closed' | 'failed';
      tunnel: string;
      server: string;
      hostname: string;
      /** Kind of the carrier. */
      destination: string;
      edge?: string;
      /** Whose addresses may connect, with spaces between; absent where anybody's. */
      allowFrom?: string;
      /** SHA-256 of the policy that held. */
      policy: string;
      /** From the request to open it until agents could come, or as long as it was open. */
      durationMs: number;
      /** Code of the failure. */
      why?: string;
    }
  /** The policy did not let a tunnel go out, or a server be exposed. */
  | { kind: 'denied'; what: 'destination' | 'upstream'; entry: string; file: string }
  | {
      kind: 'grant';
      event: 'added' | 'rotated' | 'changed' | 'revoked';
      grant: string;
      name: string;
      servers?: string;
      /** Patterns with spaces between them, where the grant names any. */
      methods?: string;
      tools?: string;
      prompts?: string;
      resources?: string;
      readOnly?: boolean;
      /** How the agent is recognised, where not by a token: the kind, and who signs for it. */
      way?: string;
      signedBy?: string;
      expiresMs?: number;
    }
  | {
      kind: 'policy';
      event: 'allowed' | 'removed' | 'edited' | 'changed' | 'invalid';
      entry?: string;
      file?: string;
      sha256?: string;
    }
  /** An agent asked to be let in: that it did, and what became of it. `client` was written by strangers. */
  | { kind: 'pairing'; event: string; tunnel: string; client: string; redirectHost: string }
  /** A person agreed to run a server's command; `hash` is that of the launch plan. */
  | { kind: 'consent'; server: string; hash: string }
  /** A person looked at what a server offers: it was asked, and run for that where it is a command. */
  | { kind: 'preview'; server: string; hash: string };

/** Every kind there is: a line of another kind is none of ours. */
export const eventKinds: Record<AuditEvent['kind'], true> = {
  call: true,
  outcome: true,
  refused: true,
  tunnel: true,
  denied: true,
  grant: true,
  policy: true,
  consent: true,
  preview: true,
  pairing: true,
};
