// The one error type of this product. Callers branch on `code`; people read `message`;
// `retryable` says whether trying the same thing again later can help. Stacks stay in the log.
import type { JsonObject } from './json.ts';

export type ErrorCode =
  | 'USAGE' // the caller's words or parameters are off
  | 'CONFIG_INVALID' // a file written by a person cannot be read; `data.file`, `data.line`
  | 'POLICY_INVALID' // a policy file cannot be read; what it governs is denied
  | 'DESTINATION_DENIED' // a tunnel destination is not on the allowlist; `data.file`, `data.entry`
  | 'UPSTREAM_DENIED' // a server may not be exposed under the policy; `data.file`, `data.entry`
  | 'CONSENT_REQUIRED' // nobody agreed to run this command yet; `data.plan`, `data.previous`
  | 'UNTRUSTED_WORKSPACE' // the window is in restricted mode: nothing of it is run
  | 'EDGE_UNREACHABLE' // DNS, TCP or TLS to the edge failed
  | 'EDGE_IDENTITY' // what answered is not the edge that was named (CA or pin)
  | 'ENROLMENT_REFUSED' // the edge did not accept the enrolment token
  | 'NOT_ENROLLED' // this machine holds no certificate for that edge
  | 'CERTIFICATE_INVALID' // expired, not yet valid, foreign or revoked
  | 'ROUTE_BUSY' // the hostname is held by another live tunnel
  | 'ROUTE_DENIED' // the hostname belongs to another connector, or is reserved
  | 'UPSTREAM_START' // the server's command could not be started or ended at once; `data.stderr`
  | 'UPSTREAM_EXITED' // the server ended while it was needed; `data.stderr`
  | 'UPSTREAM_UNREACHABLE' // the server's URL does not answer
  | 'UPSTREAM_PROTOCOL' // the server answered something that is not MCP
  | 'PORT_IN_USE'
  | 'STATE_UNWRITABLE' // the state folder cannot be written; `data.path`
  | 'AUDIT_BROKEN' // an audit log is not what was written; `data.chain`, `data.file`, `data.line`, `data.what`
  | 'NOT_FOUND'
  | 'CONFLICT' // somebody else changed or holds it
  | 'LIMIT' // a named bound was reached
  | 'TIMEOUT'
  | 'CANCELLED'
  | 'CLOSED' // the other side of a channel is gone
  | 'INTERNAL';

/** A `TunnelError` as data: what crosses a process border. */
export type ErrorInfo = { code: ErrorCode; message: string; retryable: boolean; data?: JsonObject };

export type TunnelErrorOptions = { cause?: unknown; retryable?: boolean; data?: JsonObject };

const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'EDGE_UNREACHABLE',
  'ROUTE_BUSY',
  'UPSTREAM_EXITED',
  'UPSTREAM_UNREACHABLE',
  'TIMEOUT',
  'CLOSED',
]);

export class TunnelError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly data: JsonObject | undefined;

  constructor(code: ErrorCode, message: string, options: TunnelErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TunnelError';
    this.code = code;
    this.retryable = options.retryable ?? RETRYABLE.has(code);
    this.data = options.data;
  }
}

/** Anything thrown, as data. A foreign error becomes `INTERNAL` with its message and without its stack. */
export function errorInfo(error: unknown): ErrorInfo {
  if (error instanceof TunnelError) {
    const info: ErrorInfo = { code: error.code, message: error.message, retryable: error.retryable };
    if (error.data) info.data = error.data;
    return info;
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'INTERNAL', message, retryable: false };
}

/** The other direction of {@link errorInfo}. */
export function fromErrorInfo(info: ErrorInfo): TunnelError {
  return new TunnelError(info.code, info.message, {
    retryable: info.retryable,
    ...(info.data ? { data: info.data } : {}),
  });
}

/** The system's error code (`ECONNREFUSED`, `ENOENT`, …) of anything thrown, or `undefined`. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
