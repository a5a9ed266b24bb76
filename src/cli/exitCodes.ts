// Exit codes are a contract with scripts: 0 done, 2 usage, 3 denied by policy, 4 carrier failed, 5 upstream failed,
// 130 interrupted. Every error has one of them.
import type { ErrorCode } from '../core/errors.ts';

export const exitCodes = {
  done: 0,
  usage: 2,
  denied: 3,
  carrierFailed: 4,
  upstreamFailed: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const { usage, denied, carrierFailed, upstreamFailed, interrupted } = exitCodes;

/** What the caller can put right on this machine is `usage`; what failed on the way of the tunnel is `carrierFailed`. */
export const exitCodeOf: Record<ErrorCode, ExitCode> = {
  USAGE: usage,
  CONFIG_INVALID: usage,
  POLICY_INVALID: denied,
  DESTINATION_DENIED: denied,
  UPSTREAM_DENIED: denied,
  CONSENT_REQUIRED: denied,
  UNTRUSTED_WORKSPACE: denied,
  EDGE_UNREACHABLE: carrierFailed,
  EDGE_IDENTITY: carrierFailed,
  ENROLMENT_REFUSED: carrierFailed,
  NOT_ENROLLED: carrierFailed,
  CERTIFICATE_INVALID: carrierFailed,
  ROUTE_BUSY: carrierFailed,
  ROUTE_DENIED: carrierFailed,
  UPSTREAM_START: upstreamFailed,
  UPSTREAM_EXITED: upstreamFailed,
  UPSTREAM_UNREACHABLE: upstreamFailed,
  UPSTREAM_PROTOCOL: upstreamFailed,
  PORT_IN_USE: carrierFailed,
  STATE_UNWRITABLE: usage,
  // The log could be read, and the answer is no; 2 says that it could not be read, or that there is none.
  AUDIT_BROKEN: denied,
  NOT_FOUND: usage,
  CONFLICT: usage,
  LIMIT: usage,
  TIMEOUT: carrierFailed,
  CANCELLED: interrupted,
  CLOSED: carrierFailed,
  INTERNAL: carrierFailed,
};
