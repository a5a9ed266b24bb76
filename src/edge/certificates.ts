// From a connector's request to its certificate: at enrolment for a one-time token, later over its own link. Requests
// were written by strangers; a token is spent, and a renewal noted, only for one that is valid.
import { X509Certificate, type KeyObject } from 'node:crypto';
import { connectorUri } from '../certs/connectorId.ts';
import { readCsr } from '../certs/csr.ts';
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { EnrolResponse, RenewedCertificate } from '../protocol/edge.ts';
import type { ConnectorIssuer, EnrolmentAuthority } from './edgeAuthority.ts';

const dayMs = 86_400_000;

/** Throws `ENROLMENT_REFUSED`, `CERTIFICATE_INVALID` for a bad request, `LIMIT`. */
export async function enrolConnector(
  state: EnrolmentAuthority,
  { token, csr }: { token: string; csr: string },
  clock: Clock,
): Promise<EnrolResponse> {
  await state.checkToken(token);
  const { publicKey } = readCsr(csr);
  const { connector, expiresMs } = await state.spendToken(token);
  return { connector, domain: state.domain, ...issue(state, connector, publicKey, expiresMs - clock.now()) };
}

/** For the same connector, whatever subject the request names. Throws `CERTIFICATE_INVALID`, `LIMIT`. */
export async function renewCertificate(
  state: ConnectorIssuer,
  connector: string,
  csr: unknown,
  clock: Clock,
): Promise<RenewedCertificate> {
  if (typeof csr !== 'string') throw new TunnelError('USAGE', 'a renewal needs a certificate request (csr)');
  const { publicKey } = readCsr(csr);
  const { expiresMs } = await state.noteRenewal(connector);
  return issue(state, connector, publicKey, expiresMs - clock.now());
}

function issue(
  { authority }: Pick<ConnectorIssuer, 'authority'>,
  connector: string,
  publicKey: KeyObject,
  lifeMs: number,
): RenewedCertificate {
  const certificate = authority.issueClient({ uri: connectorUri(connector), publicKey, days: lifeMs / dayMs });
  const expiresMs = Date.parse(new X509Certificate(certificate).validTo);
  return { certificate, ca: authority.certificatePem, expiresMs };
}
