// What holds for names, wherever they are kept: who may have one, when it is free again, and who may move it.
import { TunnelError } from '../core/errors.ts';
import { labelProblem } from '../core/hostname.ts';
import { accepted } from './connectorRules.ts';
import type { Claim, ConnectorRecord } from './edgeRecords.ts';
import { isInScope } from './labelScope.ts';

const dayMs = 86_400_000;

/** A claim that nobody used for so long is free again. */
export const unusedClaimMs = 90 * dayMs;
/** At this number the edge refuses with `LIMIT`. */
export const maxLabelsPerConnector = 64;
/** How exact `usedMs` is: a claim in daily use costs one write a day. */
export const useGrainMs = dayMs;

export const isAlive = (claim: Claim, nowMs: number): boolean => nowMs - claim.usedMs < unusedClaimMs;

/** Its use is to be noted again. */
export const isStale = (claim: Claim, nowMs: number): boolean => nowMs - claim.usedMs >= useGrainMs;

export type ClaimWish = {
  label: string;
  /** Who asks, as far as it is known. */
  connector: ConnectorRecord | undefined;
  /** The claim that stands, whosever it is. */
  claim: Claim | undefined;
  /** How many names the connector owns. */
  owned: () => number;
  nowMs: number;
  domain: string;
};

/**
 * The claim as it must stand: `claim` itself where there is nothing to write. Throws `ROUTE_DENIED` when another owns the
 * label, it is reserved, outside the connector's scope or no label at all; `CERTIFICATE_INVALID`; `LIMIT`.
 */
export function claimed(wish: ClaimWish & { reserved: readonly string[] }): Claim {
  const { label, nowMs, domain, reserved } = wish;
  checkLabel(label);
  const connector = accepted(wish.connector);
  const standing = wish.claim && isAlive(wish.claim, nowMs) ? wish.claim : undefined;
  if (standing && standing.connector !== connector.id) {
    throw new TunnelError('ROUTE_DENIED', `${label}.${domain} belongs to another connector: choose another name`);
  }
  checkScopeOf(connector, label);
  if (standing) return isStale(standing, nowMs) ? { ...standing, usedMs: nowMs } : standing;
  if (reserved.length > 0 && isInScope(reserved, label)) {
    throw new TunnelError('ROUTE_DENIED', `the name ${label} is reserved at this edge: choose another name`);
  }
  checkRoom(wish.owned);
  return { label, connector: connector.id, claimedMs: nowMs, usedMs: nowMs };
}

/**
 * The label as whoever runs the edge gives it to `connector`, whoever had it and whether or not the edge reserves it.
 * Throws `USAGE` for a connector that could not claim it; `CERTIFICATE_INVALID`, `LIMIT`.
 */
export function transferred({ label, connector: wanted, claim, owned, nowMs }: Omit<ClaimWish, 'domain'>): Claim {
  const problem = labelProblem(label);
  if (problem !== undefined) throw new TunnelError('USAGE', `“${label.slice(0, 80)}” cannot be a name: ${problem}`);
  if (!wanted || wanted.revokedMs !== undefined) {
    throw new TunnelError('USAGE', 'a name can only be given to a connector that is enrolled and not revoked');
  }
  if (!isInScope(wanted.labels, label)) {
    throw new TunnelError('USAGE', `connector ${wanted.id} may only use the names ${wanted.labels?.join(', ')}`);
  }
  if (claim && isAlive(claim, nowMs) && claim.connector === wanted.id) return claim;
  checkRoom(owned);
  return { label, connector: wanted.id, claimedMs: nowMs, usedMs: nowMs };
}

/** The claim that whoever runs the edge takes back. Throws `NOT_FOUND`. */
export function releasable(label: string, claim: Claim | undefined, nowMs: number): Claim {
  if (claim && isAlive(claim, nowMs)) return claim;
  throw new TunnelError('NOT_FOUND', `nobody owns the name ${label.slice(0, 80)}; “mcp-tunnel edge routes” lists them`);
}

function checkLabel(label: string): void {
  const problem = labelProblem(label);
  if (problem) throw new TunnelError('ROUTE_DENIED', `${label.slice(0, 80)} cannot be a hostname: ${problem}`);
}

function checkScopeOf({ labels }: ConnectorRecord, label: string): void {
  if (isInScope(labels, label)) return;
  throw new TunnelError('ROUTE_DENIED', `this connector may only use the names ${labels?.join(', ')}, so not ${label}`);
}

function checkRoom(owned: () => number): void {
  if (owned() < maxLabelsPerConnector) return;
  throw new TunnelError('LIMIT', `a connector owns at most ${maxLabelsPerConnector} names: use one that it owns`);
}
