// A claim as a connector wrote it: checked once, here.
import { TunnelError } from '../core/errors.ts';
import { labelProblem } from '../core/hostname.ts';
import type { RouteClaim } from '../protocol/edge.ts';

const idPattern = /^[\w-]{1,64}$/;

/** Throws `USAGE`; `ROUTE_DENIED` for a label that is none. */
export function readClaim(wanted: unknown): RouteClaim {
  const { label, instance, run, admission } = (wanted ?? {}) as Partial<Record<keyof RouteClaim, unknown>>;
  if (typeof label !== 'string' || !isId(instance) || !isId(run)) {
    const ids = 'an instance and a run of up to 64 letters, digits and hyphens each';
    throw new TunnelError('USAGE', `a claim needs a label, and ${ids}`);
  }
  const problem = labelProblem(label);
  if (problem !== undefined) throw new TunnelError('ROUTE_DENIED', problem);
  if (admission !== undefined) throw new TunnelError('USAGE', 'this edge does not tell visitors apart by address');
  return { label, instance, run };
}

const isId = (value: unknown): value is string => typeof value === 'string' && idPattern.test(value);
