// Every way in which a certificate can be wrong, as a sentence of its own: what failed, and what a person can do.
// The names of the failures are Node's (X509_V_ERR_* of OpenSSL, and TLS alerts the other side sent).
import type { X509Certificate } from 'node:crypto';
import { systemCode, TunnelError, type ErrorCode } from '../core/errors.ts';
import { pinOf } from './pin.ts';

/** `today` is what this machine's clock says. */
type Problem = { code: ErrorCode; sentence: (server: string, today: string) => string };

const untrusted: Problem = {
  code: 'EDGE_IDENTITY',
  sentence: (server) =>
    `the certificate of ${server} was signed by an authority that is not trusted here: name its CA file or its pin, or check that this is the right host`,
};
const foreignName: Problem = {
  code: 'EDGE_IDENTITY',
  sentence: (server) =>
    `the authority that signed the certificate of ${server} may not vouch for its names: whoever runs it must get another one`,
};
const refusedAs = (why: string): Problem => ({
  code: 'CERTIFICATE_INVALID',
  sentence: (server) => `${server} refused this machine's certificate: ${why}; enroll again`,
});

const problems: Readonly<Record<string, Problem>> = {
  CERT_HAS_EXPIRED: {
    code: 'CERTIFICATE_INVALID',
    sentence: (server, today) =>
      `the certificate of ${server} has expired: if it is ${today}, as this machine's clock says, whoever runs it must renew it; if not, set the clock right`,
  },
  CERT_NOT_YET_VALID: {
    code: 'CERTIFICATE_INVALID',
    sentence: (server, today) =>
      `the certificate of ${server} is not valid yet: if it is later than ${today}, set this machine's clock right; if not, the clock of whoever made it is ahead`,
  },
  CERT_REVOKED: {
    code: 'CERTIFICATE_INVALID',
    sentence: (server) => `the certificate of ${server} was revoked: whoever runs it must replace it`,
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    code: 'EDGE_IDENTITY',
    sentence: (server) => `the certificate that answered for ${server} belongs to another name: check the address`,
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  CERT_SIGNATURE_FAILURE: untrusted,
  CERT_UNTRUSTED: untrusted,
  INVALID_CA: untrusted,
  INVALID_PURPOSE: untrusted,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: refusedAs('another edge issued it'),
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: refusedAs('it has expired'),
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: refusedAs('it was revoked'),
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: refusedAs('it is not acceptable there'),
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: refusedAs('it is not acceptable there'),
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: refusedAs('it is not acceptable there'),
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: refusedAs('it may not connect'),
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: refusedAs('none was presented'),
};

/** A failed TLS handshake with `server` as our error; `undefined` when no certificate is to blame. */
export function certificateProblem(
  failure: unknown,
  server: string,
  nowMs: number = Date.now(),
): TunnelError | undefined {
  const name = systemCode(failure) ?? '';
  const problem = Object.hasOwn(problems, name) ? problems[name] : name === 'UNSPECIFIED' ? rare(failure) : undefined;
  return (
    problem &&
    new TunnelError(problem.code, problem.sentence(server, dateOf(nowMs)), { cause: failure, retryable: false })
  );
}

/** For most failures of a chain Node has no name of its own: only OpenSSL's text tells them apart. */
function rare(failure: unknown): Problem {
  return failure instanceof Error && failure.message.includes('subtree violation') ? foreignName : untrusted;
}

/**
 * A certificate of this machine's own (`whose`: “the certificate for edge.example.com”) that time has made useless.
 * Retryable: the clock may be set right, or a new certificate come, while somebody waits.
 */
export function validityProblem(certificate: X509Certificate, nowMs: number, whose: string): TunnelError | undefined {
  if (Date.parse(certificate.validTo) <= nowMs) {
    const clock = `if it is ${dateOf(nowMs)}, as this machine's clock says`;
    const fix = `ask whoever runs the edge for a token of “edge token --connector”, which keeps the names, and enroll again`;
    const message = `${whose} expired on ${certificate.validTo}: ${clock}, ${fix}; if not, set the clock right`;
    return new TunnelError('CERTIFICATE_INVALID', message, { retryable: true });
  }
  if (Date.parse(certificate.validFrom) > nowMs) {
    const since = `${whose} is not valid before ${certificate.validFrom}`;
    const message = `${since}, and this machine's clock says ${dateOf(nowMs)}: set this machine's clock right`;
    return new TunnelError('CERTIFICATE_INVALID', message, { retryable: true });
  }
  return undefined;
}

const dateOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** What answered for `server` holds another key than the pinned one. */
export function pinProblem(certificate: X509Certificate, server: string, pin: string): TunnelError {
  let seen = 'a key of an unknown kind';
  try {
    seen = pinOf(certificate);
  } catch {
    // The sentence already says that the key cannot be read.
  }
  const message = `what answered for ${server} has the key ${seen}, not the pinned ${pin}: do not go on unless whoever runs it changed the key`;
  return new TunnelError('EDGE_IDENTITY', message, { data: { pin, seen } });
}
