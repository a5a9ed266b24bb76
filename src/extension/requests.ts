// Requests by an agent in the chat or by a link to expose a server. They may name one that discovery has found, by its
// name, and nothing else: no command, URL, destination or grant. A person is asked, always, and sees what asks.
import type { DiscoveredServer } from '../core/server.ts';

/** Longest name that is looked for. */
const maxNameLength = 200;

export type Named = { kind: 'found'; server: DiscoveredServer } | { kind: 'none' } | { kind: 'several' };

/** By its exact name. Of several with one name none is meant. */
export function serverCalled(name: unknown, servers: readonly DiscoveredServer[]): Named {
  if (typeof name !== 'string' || name.length > maxNameLength) return { kind: 'none' };
  const found = servers.filter((server) => server.name === name);
  const [server] = found;
  if (!server) return { kind: 'none' };
  return found.length > 1 ? { kind: 'several' } : { kind: 'found', server };
}

export type Link = { kind: 'expose'; server: string } | { kind: 'refused'; reason: 'unknown' | 'more' };

/** `vscode://<extension>/expose?server=NAME`. Whatever else stands in it makes it a link that is not followed. */
export function readLink(path: string, query: string): Link {
  if (path !== '/expose') return { kind: 'refused', reason: 'unknown' };
  const params = new URLSearchParams(query);
  const server = params.get('server');
  if (!server || server.length > maxNameLength) return { kind: 'refused', reason: 'unknown' };
  return [...params].length === 1 ? { kind: 'expose', server } : { kind: 'refused', reason: 'more' };
}
