// Which server `expose` is asked for: a command behind `--`, a URL, or the name of one that discovery finds here.
import { TunnelError } from '../core/errors.ts';
import { serversNamed } from '../discovery/namedServers.ts';
import type { OpenTunnel } from '../protocol/control.ts';
import { answerInputs } from './answerInputs.ts';
import type { CommandContext } from './command.ts';
import type { HelperPeer } from './ownHelper.ts';
import { definedTwice } from './serverNames.ts';
import { lastList, type ScopeOptions } from './scopeOptions.ts';

/** Throws `USAGE`, `NOT_FOUND`, or `CONFIG_INVALID` for one that cannot run as it is declared. */
export async function namedServer(
  context: CommandContext,
  peer: HelperPeer,
  name: string | undefined,
  { url, ...scope }: ScopeOptions & { url?: string },
): Promise<Pick<OpenTunnel, 'server' | 'consent'>> {
  const [command, ...args] = context.commandLine;
  const given = [name, url, command].filter((value) => value !== undefined);
  const list = given.length === 0 ? lastList(scope) : undefined;
  if (list) {
    const words = scope[list]?.join(', ') ?? '';
    throw new TunnelError('USAGE', `every word after --${list} is one of them (${words}): put NAME before it`);
  }
  if (given.length !== 1) {
    throw new TunnelError(
      'USAGE',
      'name one server, in one way: NAME, --url URL, or -- COMMAND ARG…; “mcp-tunnel servers” lists the names',
    );
  }
  if (command !== undefined) {
    const transport = { kind: 'stdio' as const, command, env: {}, cwd: context.folder };
    return { server: { inline: { name: nameOfCommand(command, args), transport: { ...transport, args } } } };
  }
  if (url !== undefined)
    return { server: { inline: { name: nameOfUrl(url), transport: { kind: 'http', url, headers: {} } } } };
  const folders = [context.folder];
  const { servers } = await peer.request('servers/list', { folders });
  const found = serversNamed(servers, name ?? '');
  if (found.length === 0)
    throw new TunnelError(
      'NOT_FOUND',
      `no server “${name}” is defined in ${context.folder}; “mcp-tunnel servers” lists them`,
    );
  if (found.length > 1) throw definedTwice(name ?? '', found);
  const [server] = found;
  const { id, problem, needs, source } = server!;
  if (needs) await answerInputs(context, peer, server!);
  else if (problem !== undefined) {
    const data = source.file === undefined ? {} : { file: source.file, line: source.line ?? 1 };
    throw new TunnelError('CONFIG_INVALID', `“${name}” cannot be exposed: ${problem}`, { data });
  }
  // Named on the command line: that is the agreement to run it as it is declared now.
  const { plan } = await peer.request('servers/plan', { id, folders });
  return { server: { id, folders }, consent: plan.hash };
}

/** `node …/server-everything/dist/index.js stdio` → `server-everything`; `npx -y @scope/thing` → `thing`. */
export function nameOfCommand(command: string, args: readonly string[]): string {
  const generic = /^(?:dist|build|lib|src|bin|index|main|server|cli|node_modules|\.|stdio)$/;
  const words = [...args.filter((arg) => !arg.startsWith('-')), command];
  for (const word of words) {
    const parts = word
      .split(/[\\/]/)
      .map((part) => part.replace(/\.[a-z]+$/i, ''))
      .toReversed();
    const telling = parts.find((part) => part !== '' && !generic.test(part) && !part.startsWith('@'));
    if (telling) return telling;
  }
  return 'server';
}

function nameOfUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    const example = /^[\w.[\]:-]+(?:\/.*)?$/.test(text)
      ? `http://${text.replace(/^\/+/, '')}`
      : 'http://localhost:3000/mcp';
    throw new TunnelError('USAGE', `“${text}” is not the URL of a server: write it like ${example}`);
  }
  return url.port === '' ? url.hostname : `${url.hostname}-${url.port}`;
}
