// A claim as a connector wrote it: checked once, here.
import { parseAdmission } from '../core/admission.ts';
import { TunnelError } from '../core/errors.ts';
import { labelProblem } from '../core/hostname.ts';
import type { RouteClaim } from '../protocol/edge.ts';

const idPattern = /^[\w-]{1,64}$/;
/** Lost links that one claim names. */
const maxGone = 32;

export type ReadClaimOptions = {
  /** Whether this edge knows which autonomous system an address belongs to. */
  tellsAsns: boolean;
};

/** Throws `USAGE`, `LIMIT`; `ROUTE_DENIED` for a label that is none. */
export function readClaim(wanted: unknown, { tellsAsns }: ReadClaimOptions): RouteClaim {
  const { label, instance, run, link, gone, admission } = (wanted ?? {}) as Partial<Record<keyof RouteClaim, unknown>>;
  if (typeof label !== 'string' || !isId(instance) || !isId(run)) {
    const ids = 'an instance and a run of up to 64 letters, digits and hyphens each';
    throw new TunnelError('USAGE', `a claim needs a label, and ${ids}`);
  }
  const problem = labelProblem(label);
  if (problem !== undefined) throw new TunnelError('ROUTE_DENIED', problem);
  if (link !== undefined && !isId(link)) throw new TunnelError('USAGE', 'the id of a link is one like that of a run');
  if (gone !== undefined && !isIds(gone))
    throw new TunnelError('USAGE', `at most ${maxGone} links are gone, by their ids`);
  const claim = {
    label,
    instance,
    run,
    ...(link === undefined ? {} : { link }),
    ...(gone === undefined ? {} : { gone }),
  };
  if (admission === undefined) return claim;
  const whom = parseAdmission(admission);
  if (whom.asns && !tellsAsns) {
    const why = 'this edge cannot tell autonomous systems apart: name networks, or have it started with --asn-db';
    throw new TunnelError('USAGE', why);
  }
  return { ...claim, admission: whom };
}

const isIds = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= maxGone && value.every(isId);

const isId = (value: unknown): value is string => typeof value === 'string' && idPattern.test(value);
