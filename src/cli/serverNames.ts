// Servers are known by ids that nobody can remember: which of them are the servers defined here, or exposed just now.
import { TunnelError } from '../core/errors.ts';
import type { DiscoveredServer } from '../core/server.ts';
import { discover } from '../discovery/discover.ts';
import { serversNamed } from '../discovery/namedServers.ts';
import { anyServer } from '../identity/grants.ts';
import type { CommandContext } from './command.ts';
import type { GrantVerbs } from './grantVerbs.ts';

/** Names and ids of servers that discovery finds here, as ids. Throws `NOT_FOUND`, `USAGE` for a name that two have. */
export async function serverIds({ folder, env }: CommandContext, wanted: readonly string[]): Promise<string[]> {
  const { servers } = await discover([folder], env);
  return wanted.map((name) => {
    if (name.startsWith('inline:')) return name; // A server that `expose` was given whole.
    const found = serversNamed(servers, name);
    if (found.length === 1 && found[0]) return found[0].id;
    if (found.length === 0) {
      throw new TunnelError(
        'NOT_FOUND',
        `no server “${name}” is defined in ${folder}; “mcp-tunnel servers” lists them`,
      );
    }
    throw definedTwice(name, found);
  });
}

/** Which of several is meant can be said only by its id; where each stands tells them apart. */
export function definedTwice(name: string, found: readonly DiscoveredServer[]): TunnelError {
  const ids = found.map(({ id, source }) =>
    source.file === undefined ? id : `${id} (${source.file}:${source.line ?? 1})`,
  );
  return new TunnelError('USAGE', `“${name}” is defined more than once; name it by its id: ${ids.join(', ')}`);
}

/** Says a list of server ids for people: by name where it is known, else by id. */
export async function serverWords(
  { folder, env }: CommandContext,
  verbs: Pick<GrantVerbs, 'tunnel/list'>,
): Promise<(ids: readonly string[]) => string> {
  const [{ servers }, { tunnels }] = await Promise.all([discover([folder], env), verbs['tunnel/list']({})]);
  const names = new Map([...servers, ...tunnels.map(({ server }) => server)].map(({ id, name }) => [id, name]));
  return (ids) => (ids.includes(anyServer) ? 'any' : ids.map((id) => names.get(id) ?? id).join(' '));
}
