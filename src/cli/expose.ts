// `mcp-tunnel expose`: one tunnel in the foreground, until SIGINT or SIGTERM.
import { writeFile } from 'node:fs/promises';
import { TunnelError } from '../core/errors.ts';
import type { Destination, GrantScope, OpenedTunnel, OpenTunnel, TunnelInfo } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import { exchangeLine } from './exchangeLine.ts';
import { TrafficFollower } from './followTraffic.ts';
import { startOwnHelper, type HelperPeer } from './ownHelper.ts';

export type ExposeOptions = {
  url?: string;
  carrier?: string;
  edge?: string;
  name?: string;
  port?: number;
  tools?: string[];
  readOnly?: boolean;
  expires?: number;
  policy?: string;
  tokenFile?: string;
  traffic?: boolean;
};

/** How long a new grant lasts when nobody says otherwise. */
export const defaultExpiresMs = 8 * 60 * 60 * 1000;

export async function expose(context: CommandContext, name: string | undefined, options: ExposeOptions): Promise<void> {
  const { output, signal, clock } = context;
  const destination = destinationOf(options);
  const closed = new AbortController();
  let lastState = '';
  const showState = ({ tunnels }: { tunnels: TunnelInfo[] }): void => {
    const tunnel = tunnels[0];
    if (!tunnel || !ready || JSON.stringify(tunnel.state) === lastState) return;
    lastState = JSON.stringify(tunnel.state);
    output.event({ event: 'state', tunnel: tunnel.id, state: tunnel.state });
    if (tunnel.state.kind === 'waiting') output.line({ text: tunnel.state.error.message, style: 'yellow' });
    if (tunnel.state.kind === 'failed') closed.abort(failure(tunnel.state));
  };
  let ready = false;

  const helper = await startOwnHelper(
    context,
    (peer) => {
      peer.on('tunnels/changed', showState);
      peer.on('log', ({ message }) => output.log({ text: message, style: 'dim' }));
    },
    options.policy === undefined ? {} : { policy: options.policy },
  );
  try {
    const server = await serverOf(context, helper.peer, name, options);
    const grant = {
      name: `expose ${new Date(clock.now()).toISOString().slice(0, 16)}`,
      scope: scopeOf(options),
      expiresMs: clock.now() + (options.expires ?? defaultExpiresMs),
    };
    const request: OpenTunnel = {
      server,
      destination,
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.port === undefined ? {} : { port: options.port }),
      grant,
    };
    const opened = await helper.peer.request('tunnel/open', request, signal);
    await announce(context, opened, options.tokenFile);
    ready = true;
    lastState = JSON.stringify(opened.tunnel.state);
    if (options.traffic || !output.json) await followTraffic(context, helper.peer, opened.tunnel.id);
    await ended(AbortSignal.any([signal, closed.signal]));
    if (closed.signal.aborted) throw closed.signal.reason;
  } finally {
    await helper.stop();
  }
}

function destinationOf({ carrier = 'embedded', edge }: ExposeOptions): Destination {
  if (carrier === 'embedded') {
    if (edge !== undefined) throw new TunnelError('USAGE', '--edge goes with --carrier edge');
    return { carrier: 'embedded' };
  }
  if (carrier !== 'edge') throw new TunnelError('USAGE', `there is no carrier “${carrier}”: use embedded or edge`);
  if (edge === undefined) throw new TunnelError('USAGE', '--carrier edge needs --edge HOST[:PORT]');
  return { carrier: 'edge', host: edge };
}

function scopeOf({ tools, readOnly }: ExposeOptions): GrantScope {
  return { ...(tools === undefined ? {} : { tools }), ...(readOnly ? { readOnly } : {}) };
}

/** The server as named: a command behind `--`, a URL, or the name of one that discovery finds in this folder. */
async function serverOf(
  context: CommandContext,
  peer: HelperPeer,
  name: string | undefined,
  { url }: ExposeOptions,
): Promise<OpenTunnel['server']> {
  const [command, ...args] = context.commandLine;
  const given = [name, url, command].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new TunnelError(
      'USAGE',
      'name one server: NAME, --url URL, or -- COMMAND ARG…; `mcp-tunnel servers` lists names',
    );
  }
  if (command !== undefined) {
    const transport = { kind: 'stdio', command, args, env: {}, cwd: context.folder } as const;
    return { inline: { name: nameOfCommand(command, args), transport: { ...transport, args: [...args] } } };
  }
  if (url !== undefined) return { inline: { name: nameOfUrl(url), transport: { kind: 'http', url, headers: {} } } };
  const folders = [context.folder];
  const { servers } = await peer.request('servers/list', { folders });
  const found = servers.filter((server) => server.name === name || server.id === name);
  if (found.length === 0)
    throw new TunnelError(
      'NOT_FOUND',
      `no server “${name}” is defined in ${context.folder}; \`mcp-tunnel servers\` lists them`,
    );
  if (found.length > 1) {
    const ids = found.map((server) => server.id).join(', ');
    throw new TunnelError('USAGE', `“${name}” is defined more than once; name it by its id: ${ids}`);
  }
  const { transport, problem } = found[0]!;
  if (problem !== undefined) throw new TunnelError('CONFIG_INVALID', `“${name}” cannot be exposed: ${problem}`);
  return { inline: { name: found[0]!.name, transport } }; // Named on the command line: that is the agreement to run it.
}

/** `node …/server-everything/dist/index.js stdio` → `server-everything`; `npx -y @scope/thing` → `thing`. */
export function nameOfCommand(command: string, args: readonly string[]): string {
  const generic = /^(?:dist|build|lib|src|bin|index|main|server|cli|node_modules|\.|stdio)$/;
  const words = [...args.filter((arg) => !arg.startsWith('-')), command];
  for (const word of words) {
    const parts = word
      .split(/[\\/]/)
      .map((part) => part.replace(/\.[a-z]+$/i, ''))
      .reverse();
    const telling = parts.find((part) => part !== '' && !generic.test(part) && !part.startsWith('@'));
    if (telling) return telling;
  }
  return 'server';
}

function nameOfUrl(url: string): string {
  try {
    const { hostname, port } = new URL(url);
    return port === '' ? hostname : `${hostname}-${port}`;
  } catch {
    throw new TunnelError('USAGE', `“${url}” is not a URL: write it like http://localhost:3000/mcp`);
  }
}

async function announce(
  { output }: CommandContext,
  opened: OpenedTunnel,
  tokenFile: string | undefined,
): Promise<void> {
  const { tunnel, token = '', readyMs } = opened;
  const { id, server, hostname, url, loopbackUrl, caFile, privacy } = tunnel;
  if (tokenFile !== undefined) await writeFile(tokenFile, `${token}\n`, { mode: 0o600 });
  const shownToken = tokenFile === undefined ? { token } : { tokenFile };
  output.event({
    event: 'ready',
    ...{ tunnel: id, server: server.name, hostname, url, loopbackUrl, ...shownToken, caFile, privacy, readyMs },
  });
  output.line({ text: `“${server.name}” is reachable.`, style: 'bold' });
  output.line('  URL       ', { text: url ?? '', style: 'cyan' });
  if (loopbackUrl !== undefined)
    output.line('            ', { text: loopbackUrl, style: 'cyan' }, '  (where *.localhost does not resolve)');
  output.line('  Token     ', tokenFile ?? token);
  if (caFile !== undefined) output.line('  CA file   ', `${caFile}  (NODE_EXTRA_CA_CERTS for Node clients)`);
  if (tunnel.destination.carrier === 'embedded')
    output.line('  Reach     ', 'this machine only: agents elsewhere need `--carrier edge`');
  output.line('  Stop      ', 'Ctrl-C');
  output.line();
}

async function followTraffic({ output }: CommandContext, peer: HelperPeer, tunnel: string): Promise<void> {
  const follower = new TrafficFollower(peer, (row) => {
    if (row.status === 'pending' || row.tunnel !== tunnel) return;
    output.sample({ event: 'exchange', ...row });
    output.line(...exchangeLine(row));
  });
  await follower.start();
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function failure(state: Extract<TunnelInfo['state'], { kind: 'failed' }>): TunnelError {
  return new TunnelError(state.error.code, state.error.message, state.error.data ? { data: state.error.data } : {});
}
