// Every way in which a call can fail on its way, in one table: where it failed, the HTTP status and JSON-RPC number it is
// answered with, and the fixed sentence an agent reads. Messages of errors hold paths, addresses and last words of
// programs of this machine: they are for its owner alone. An error that the server itself answers passes untouched.
import { TunnelError, type ErrorCode, type ErrorInfo } from '../core/errors.ts';
import type { RpcId } from './message.ts';
import { rpcCode, rpcErrorText } from './rpcErrors.ts';

/** Where it failed: on the way to the server (dns … transport_closed), in what it said, by a rule, or in us. */
export type FailureSource =
  | 'dns'
  | 'connect'
  | 'tls'
  | 'timeout'
  | 'target_http' // the server's own answer of 400 and above, passed on as it is
  | 'transport_closed'
  | 'protocol'
  | 'policy'
  | 'internal';

export type FailureCode = keyof typeof failures;

/** What a row shows of a failure. */
export type FailureMark = { code: FailureCode; source: FailureSource };

type Failure = {
  source: FailureSource;
  /** HTTP status of the answer; 0 where the server's own passes. */
  status: number;
  /** JSON-RPC number. */
  rpc: number;
  /** What an agent reads. */
  sentence: string;
  /** What our own code throws for it. */
  error: ErrorCode;
  /** Whether an agent may make the same call again, as a new one: `data.retryable` of the answer. */
  retryable?: true;
};

const server = 'the MCP server behind this tunnel';
const down = { status: 502, rpc: rpcCode.upstreamUnavailable };
const late = { status: 504, rpc: rpcCode.upstreamUnavailable };
const mayBeDone = 'the call may have been carried out. It can be tried again';
const unreachable = {
  ...down,
  retryable: true as const,
  error: 'UPSTREAM_UNREACHABLE' as const,
  sentence: `${server} does not answer; try again later`,
};
const untrusted = {
  ...down,
  error: 'UPSTREAM_UNREACHABLE' as const,
  sentence: `${server} has a certificate that is not good`,
};
const ours = 'the tunnel failed; the log on the developer’s machine says why';

export const failures = {
  DNS_NOT_FOUND: { source: 'dns', ...unreachable },
  CONNECT_REFUSED: { source: 'connect', ...unreachable },
  CONNECT_FAILED: { source: 'connect', ...unreachable },
  /** It was there before, and did not come back within the time a call waits for it. */
  SERVER_AWAY: {
    source: 'connect',
    status: 503,
    rpc: rpcCode.upstreamUnavailable,
    error: 'UPSTREAM_UNREACHABLE',
    retryable: true,
    sentence: `${server} is being restarted; try again`,
  },
  CONNECT_TIMEOUT: { source: 'timeout', ...unreachable, ...late },
  ANSWER_TIMEOUT: {
    source: 'timeout',
    ...late,
    error: 'UPSTREAM_UNREACHABLE',
    sentence: `${server} did not answer in time; try again later`,
  },
  TLS_UNTRUSTED: { source: 'tls', ...untrusted },
  TLS_WRONG_NAME: { source: 'tls', ...untrusted },
  TLS_EXPIRED: { source: 'tls', ...untrusted },
  TLS_FAILED: { source: 'tls', ...untrusted },
  /** The connection ended after the request was sent: it may have been carried out. */
  CONNECTION_CLOSED: {
    source: 'transport_closed',
    ...down,
    retryable: true,
    error: 'UPSTREAM_UNREACHABLE',
    sentence: `${server} closed the connection before it answered; ${mayBeDone}`,
  },
  ANSWER_BROKEN: {
    source: 'transport_closed',
    ...down,
    retryable: true,
    error: 'UPSTREAM_EXITED',
    sentence: `${server} broke off its answer; ${mayBeDone}`,
  },
  SERVER_EXITED: {
    source: 'transport_closed',
    ...down,
    retryable: true,
    error: 'UPSTREAM_EXITED',
    sentence: `${server} has ended; try again`,
  },
  /** It is being started again; a call that was under way is never sent a second time unasked. */
  SERVER_RESTARTED: {
    source: 'transport_closed',
    ...down,
    retryable: true,
    error: 'UPSTREAM_EXITED',
    sentence: `${server} was restarted before it answered; ${mayBeDone}`,
  },
  SERVER_LOOPS: {
    source: 'transport_closed',
    ...down,
    error: 'UPSTREAM_EXITED',
    sentence: `${server} ended again and again; its owner can see why`,
  },
  /** After a rebuild it speaks another revision, or can do less: what was agreed on no longer holds. */
  SERVER_CHANGED: {
    source: 'protocol',
    ...down,
    error: 'UPSTREAM_EXITED',
    sentence: `${server} is another one since it was restarted; initialize again`,
  },
  SERVER_START: {
    source: 'connect',
    ...down,
    error: 'UPSTREAM_START',
    sentence: `${server} could not be started; its owner can see why`,
  },
  NOT_HTTP: {
    source: 'protocol',
    ...down,
    error: 'UPSTREAM_PROTOCOL',
    sentence: `${server} answered something that is not HTTP`,
  },
  NOT_MCP: {
    source: 'protocol',
    ...down,
    error: 'UPSTREAM_PROTOCOL',
    sentence: `${server} answered something that is not MCP`,
  },
  TARGET_HTTP: {
    source: 'target_http',
    status: 0,
    rpc: rpcCode.upstreamUnavailable,
    error: 'UPSTREAM_PROTOCOL',
    sentence: `${server} did not take the message`,
  },
  DENIED: {
    source: 'policy',
    status: 200,
    rpc: rpcCode.deniedByPolicy,
    error: 'UPSTREAM_DENIED',
    sentence: 'this tunnel’s policy refuses the call',
  },
  ADDRESS_DENIED: {
    source: 'policy',
    ...down,
    error: 'UPSTREAM_DENIED',
    sentence: `${server} may not be reached under this tunnel’s policy`,
  },
  LIMITED: {
    source: 'policy',
    status: 429,
    rpc: rpcCode.limitReached,
    error: 'LIMIT',
    sentence: 'a limit of this tunnel is reached; try again later',
  },
  BODY_TOO_LARGE: {
    source: 'policy',
    status: 413,
    rpc: rpcCode.limitReached,
    error: 'LIMIT',
    sentence: 'the body is larger than this tunnel takes',
  },
  LIMIT_REACHED: {
    source: 'internal',
    status: 500,
    rpc: rpcCode.internalError,
    error: 'LIMIT',
    sentence: 'a limit of this tunnel was reached; its owner can see which',
  },
  BAD_MESSAGE: {
    source: 'protocol',
    status: 400,
    rpc: rpcCode.invalidRequest,
    error: 'USAGE',
    sentence: 'the body is no message of MCP',
  },
  BAD_MEDIA_TYPE: {
    source: 'protocol',
    status: 415,
    rpc: rpcCode.serverError,
    error: 'USAGE',
    sentence: 'Unsupported Media Type: send application/json in UTF-8, not compressed',
  },
  SESSION_UNKNOWN: {
    source: 'protocol',
    status: 404,
    rpc: rpcCode.sessionNotFound,
    error: 'NOT_FOUND',
    sentence: 'Session not found',
  },
  INTERNAL: { source: 'internal', status: 500, rpc: rpcCode.internalError, error: 'INTERNAL', sentence: ours },
} as const satisfies Record<string, Failure>;

/** What is meant where an error names no failure of its own. */
const USUAL: Partial<Record<ErrorCode, FailureCode>> = {
  UPSTREAM_START: 'SERVER_START',
  UPSTREAM_EXITED: 'SERVER_EXITED',
  UPSTREAM_UNREACHABLE: 'CONNECT_FAILED',
  UPSTREAM_PROTOCOL: 'NOT_MCP',
  UPSTREAM_DENIED: 'ADDRESS_DENIED',
  TIMEOUT: 'ANSWER_TIMEOUT',
  LIMIT: 'LIMIT_REACHED',
};

/** An error that says in which row of the table it belongs; `message` is for the developer. */
export function failed(code: FailureCode, message: string, cause?: unknown): TunnelError {
  return new TunnelError(failures[code].error, message, { data: { failure: code }, cause });
}

export function failureOf({ code, data }: Pick<ErrorInfo, 'code' | 'data'>): Failure & FailureMark {
  const named = data?.['failure'];
  const failure = isFailureCode(named) ? named : (USUAL[code] ?? 'INTERNAL');
  return { code: failure, ...failures[failure] };
}

/** The answer to who waits for one. */
export function failureText(id: RpcId | null, info: Pick<ErrorInfo, 'code' | 'data'>): string {
  const { rpc, sentence, retryable } = failureOf(info);
  return rpcErrorText(id, rpc, sentence, retryable ? { retryable } : undefined);
}

export function markOf(code: FailureCode): FailureMark {
  return { code, source: failures[code].source };
}

/** Whether the server behind the tunnel is to blame, and not the tunnel. */
export function isUpstreamFault(info: Pick<ErrorInfo, 'code' | 'data'>): boolean {
  return failureOf(info).rpc === rpcCode.upstreamUnavailable;
}

function isFailureCode(name: unknown): name is FailureCode {
  return typeof name === 'string' && Object.hasOwn(failures, name);
}
