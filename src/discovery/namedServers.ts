// Which servers a person means by a name or an id. One of the workspace comes before those that the user has for every
// workspace: clients that merge the two do the same.
import type { DiscoveredServer } from '../core/server.ts';

/** None, the one, or several that only their ids tell apart. */
export function serversNamed(servers: readonly DiscoveredServer[], name: string): DiscoveredServer[] {
  const found = servers.filter((server) => server.name === name || server.id === name);
  const here = found.filter(({ source }) => source.scope !== 'user');
  return here.length > 0 ? here : found;
}
