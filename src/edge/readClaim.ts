// A claim as a connector wrote it: checked once, here.
import { parseAdmission } from '../core/admission.ts';
import { TunnelError } from '../core/errors.ts';
import { labelProblem } from '../core/hostname.ts';
import type { RouteClaim } from '../protocol/edge.ts';

const idPattern = /^[\w-]{1,64}$/;

export type ReadClaimOptions = {
  /** Whether this edge knows which autonomous system an address belongs to. */
  tellsAsns: boolean;
};

/** Throws `USAGE`, `LIMIT`; `ROUTE_DENIED` for a label that is none. */
export function readClaim(wanted: unknown, { tellsAsns }: ReadClaimOptions): RouteClaim {
  const { label, instance, run, admission } = (wanted ?? {}) as Partial<Record<keyof RouteClaim, unknown>>;
  if (typeof label !== 'string' || !isId(instance) || !isId(run)) {
    const ids = 'an instance and a run of up to 64 letters, digits and hyphens each';
    throw new TunnelError('USAGE', `a claim needs a label, and ${ids}`);
  }
  const problem = labelProblem(label);
  if (problem !== undefined) throw new TunnelError('ROUTE_DENIED', problem);
  if (admission === undefined) return { label, instance, run };
  const whom = parseAdmission(admission);
  if (whom.asns && !tellsAsns) {
    const why = 'this edge cannot tell autonomous systems apart: name networks, or have it started with --asn-db';
    throw new TunnelError('USAGE', why);
  }
  return { label, instance, run, admission: whom };
}

const isId = (value: unknown): value is string => typeof value === 'string' && idPattern.test(value);
