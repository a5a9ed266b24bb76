// What holds for connectors, wherever they are kept: enrolled with a token, given new certificates while they live,
// revoked, and forgotten long after their last certificate.
import { TunnelError } from '../core/errors.ts';
import type { ConnectorRecord, TokenRecord } from './edgeRecords.ts';
import { tokenRefused } from './tokenRules.ts';

const dayMs = 86_400_000;

/**
 * A connector's certificate. It renews itself after 60 days, so a machine may be off for a month and come back by
 * itself; a shorter life would shut out people back from holidays, and gain little: a revocation takes effect at once.
 */
export const connectorDays = 90;
/** What is known of a connector is kept for so long after its certificate. */
export const forgottenMs = 90 * dayMs;
/** At this number the edge refuses with `LIMIT`. */
export const maxConnectors = 10_000;
/** New certificates of one connector in a day: a machine that asks for more is out of order. */
export const maxRenewalsPerDay = 24;

export type Now = { nowMs: number; connectorMs: number };

/**
 * The connector as the token makes it: `present` again where the token names it, else a new one called `id`. Throws
 * `ENROLMENT_REFUSED` where the named one is revoked or unknown by now.
 */
export function enrolled(
  token: TokenRecord,
  present: ConnectorRecord | undefined,
  { id, nowMs, connectorMs }: Now & { id: string },
): ConnectorRecord {
  const expiresMs = nowMs + connectorMs;
  const scope = token.labels ? { labels: token.labels } : {};
  if (token.connector === undefined) return { id, enrolledMs: nowMs, expiresMs, ...scope };
  if (present?.id !== token.connector || present.revokedMs !== undefined) throw tokenRefused();
  return { ...present, ...scope, enrolledMs: nowMs, expiresMs: Math.max(expiresMs, present.expiresMs) };
}

/** With one more certificate. Throws `CERTIFICATE_INVALID`, `LIMIT`. */
export function renewed(present: ConnectorRecord | undefined, { nowMs, connectorMs }: Now): ConnectorRecord {
  const connector = accepted(present);
  const recent = (connector.renewalsMs ?? []).filter((ms) => ms > nowMs - dayMs);
  if (recent.length >= maxRenewalsPerDay) {
    throw new TunnelError('LIMIT', `a connector gets at most ${maxRenewalsPerDay} new certificates a day`);
  }
  const expiresMs = Math.max(nowMs + connectorMs, connector.expiresMs);
  return { ...connector, expiresMs, renewalsMs: [...recent, nowMs] };
}

/** Throws `CERTIFICATE_INVALID` for one that is revoked or that nobody knows. */
export function accepted(connector: ConnectorRecord | undefined): ConnectorRecord {
  if (connector && connector.revokedMs === undefined) return connector;
  throw new TunnelError('CERTIFICATE_INVALID', 'this edge no longer accepts the certificate: enroll again');
}

export const isForgotten = ({ expiresMs }: ConnectorRecord, nowMs: number): boolean => nowMs - expiresMs >= forgottenMs;
