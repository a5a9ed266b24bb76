// Every destination that this machine could use, with the policy's word on each: what is locked stays visible,
// and says which entry is missing where.
import { parseHostPort, formatHostPort } from '../core/hostname.ts';
import type { Destination, DestinationChoice } from '../protocol/control.ts';
import type { Helper } from './helper.ts';

/** `embedded`, the edges this machine is enrolled at, and those that a policy file or a person (`edges`) names. */
export async function destinationChoices(helper: Helper, edges: readonly string[] = []): Promise<DestinationChoice[]> {
  const enrolled = await helper.enrolledEdges();
  const named = helper.policy.current.destinations.flatMap(({ carrier, host }) =>
    carrier === 'edge' && host !== undefined ? [host] : [],
  );
  const hosts = new Set([...enrolled, ...[...named, ...edges].flatMap(oneHost)]);
  const destinations: Destination[] = [
    { carrier: 'embedded' },
    ...[...hosts].map((host) => ({ carrier: 'edge', host }) as const),
  ];
  const dial = helper.dialCheck();
  return destinations.map((destination) => {
    const denied = dial.denied(destination);
    return {
      destination,
      ...(denied ? { denied } : {}),
      ...(destination.carrier === 'edge' ? { enrolled: enrolled.includes(destination.host) } : {}),
    };
  });
}

/** As `host:port`; a pattern stands for many hosts and is no choice, and neither is a typing error. */
function oneHost(text: string): string[] {
  if (text.includes('*')) return [];
  try {
    return [formatHostPort(parseHostPort(text, 443))];
  } catch {
    return []; // The other choices are still good.
  }
}
