// Whose addresses a tunnel lets in, as a person asked for it: only an edge can tell, because it alone sees them.
import { parseAllowFrom, type Admission } from '../core/admission.ts';
import { TunnelError } from '../core/errors.ts';
import type { Destination } from '../protocol/control.ts';

/** `undefined` lets everybody in. Throws `USAGE`, naming the entry. */
export function admissionOf(allowFrom: readonly string[], destination: Destination): Admission | undefined {
  if (allowFrom.length === 0) return undefined;
  if (destination.carrier !== 'edge') {
    const why = 'only an edge sees the addresses of those who come; this tunnel is reached from this machine alone';
    throw new TunnelError('USAGE', `${why}, and cannot be limited to some`);
  }
  return parseAllowFrom(allowFrom);
}
