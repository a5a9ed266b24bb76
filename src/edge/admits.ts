// Whether an address is among those that a route lets in. It is asked for each visitor before a byte of its TLS is
// answered, so networks are read once for each claim.
import { isInNetwork, parseAddress, parseNetwork, type Network } from '../core/network.ts';
import type { Admission } from '../core/admission.ts';
import type { Asns } from './asnBook.ts';

const readOnce = new WeakMap<Admission, readonly Network[]>();

/** `address` without a port. Without an admission everybody is let in; an address that cannot be read is not. */
export function admits(admission: Admission | undefined, address: string, asns: Asns | undefined): boolean {
  if (!admission) return true;
  const parsed = parseAddress(address);
  if (!parsed) return false;
  if (networksOf(admission).some((network) => isInNetwork(parsed, network))) return true;
  if (!admission.asns || !asns) return false;
  const asn = asns.asnOf(parsed.toString());
  return asn !== undefined && admission.asns.includes(asn);
}

function networksOf(admission: Admission): readonly Network[] {
  const known = readOnce.get(admission);
  if (known) return known;
  const networks = (admission.networks ?? []).map(parseNetwork);
  readOnce.set(admission, networks);
  return networks;
}
