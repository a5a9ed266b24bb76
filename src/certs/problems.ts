// Every way in which a certificate can be wrong, as a sentence of its own: what failed, and what a person can do.
// The names of the failures are Node's (X509_V_ERR_* of OpenSSL, and TLS alerts the other side sent).
import type { X509Certificate } from 'node:crypto';
import { systemCode, TunnelError, type ErrorCode } from '../core/errors.ts';
import { pinOf } from './pin.ts';

type Problem = { code: ErrorCode; sentence: (server: string) => string };

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
    sentence: (server) => `the certificate of ${server} has expired: whoever runs it must renew it`,
  },
  CERT_NOT_YET_VALID: {
    code: 'CERTIFICATE_INVALID',
    sentence: (server) => `the certificate of ${server} is not valid yet: check this machine's clock`,
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
export function certificateProblem(failure: unknown, server: string): TunnelError | undefined {
  const name = systemCode(failure) ?? '';
  const problem = Object.hasOwn(problems, name) ? problems[name] : name === 'UNSPECIFIED' ? rare(failure) : undefined;
  return problem && new TunnelError(problem.code, problem.sentence(server), { cause: failure, retryable: false });
}

/** For most failures of a chain Node has no name of its own: only OpenSSL's text tells them apart. */
function rare(failure: unknown): Problem {
  return failure instanceof Error && failure.message.includes('subtree violation') ? foreignName : untrusted;
}

/** A certificate of this machine's own (`whose`: “the certificate for edge.example.com”) that time has made useless. */
export function validityProblem(certificate: X509Certificate, nowMs: number, whose: string): TunnelError | undefined {
  if (Date.parse(certificate.validTo) <= nowMs) {
    return new TunnelError('CERTIFICATE_INVALID', `${whose} expired on ${certificate.validTo}: enroll again`);
  }
  if (Date.parse(certificate.validFrom) > nowMs) {
    const since = `${whose} is not valid before ${certificate.validFrom}`;
    return new TunnelError('CERTIFICATE_INVALID', `${since}: set this machine's clock right`);
  }
  return undefined;
}

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
