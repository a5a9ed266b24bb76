// Every destination that this machine could use, with the policy's word on each: what is locked stays visible,
// and says which entry is missing where.
import { parseHostPort, formatHostPort } from '../core/hostname.ts';
import type { Destination, DestinationChoice } from '../protocol/control.ts';
import { makeDialCheck } from './dialCheck.ts';
import type { Helper } from './helper.ts';

/** `embedded`, the edges this machine is enrolled at, and those that a policy file or a person (`edges`) names. */
export async function destinationChoices(helper: Helper, edges: readonly string[] = []): Promise<DestinationChoice[]> {
  const enrolled = await helper.enrolledEdges();
  const named = helper.policy.current.destinations.flatMap((entry) =>
    'carrier' in entry && entry.carrier === 'edge' && entry.host !== undefined && !entry.host.includes('*')
      ? [formatHostPort(parseHostPort(entry.host, 443))]
      : [],
  );
  const asked = edges.map((host) => formatHostPort(parseHostPort(host, 443)));
  const hosts = [...new Set([...enrolled, ...named, ...asked])];
  const destinations: Destination[] = [
    { carrier: 'embedded' },
    ...hosts.map((host) => ({ carrier: 'edge', host }) as const),
  ];
  const dial = makeDialCheck(helper.policy);
  return destinations.map((destination) => {
    const denied = dial.denied(destination);
    return {
      destination,
      ...(denied ? { denied } : {}),
      ...(destination.carrier === 'edge' ? { enrolled: enrolled.includes(destination.host) } : {}),
    };
  });
}
