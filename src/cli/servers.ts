// `mcp-tunnel servers [DIR]`: what discovery finds, with everything that could not be read beside it.
// Values of env and headers are never shown: they hold secrets more often than not.
import { stat } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { TunnelError } from '../core/errors.ts';
import { discover } from '../discovery/discover.ts';
import { runningServers } from '../discovery/listeners/runningServers.ts';
import { homeOf } from '../discovery/places.ts';
import { EditedCommands } from '../helper/editedCommands.ts';
import type { DiscoveredServer, DiscoveryProblem, ServerTransport } from '../core/server.ts';
import type { CommandContext } from './command.ts';

export type ServersOptions = { scan?: boolean; scanPort?: number[] };

export async function servers(
  context: CommandContext,
  dir: string | undefined,
  { scan, scanPort = [] }: ServersOptions = {},
): Promise<void> {
  const { output, env, signal } = context;
  const folder = resolve(context.folder, dir ?? '.');
  await demandFolder(folder);
  const from = { folder, home: homeOf(env) };
  const found = await discover([folder], env);
  const edited = new EditedCommands(context.files, context.paths.editedCommands);
  const list = { ...found, servers: await edited.applyTo(found.servers) };
  const wantsScan = scan === true || scanPort.length > 0;
  const running = wantsScan ? await runningServers({ folders: scan ? [folder] : [], ports: scanPort }, signal) : [];

  for (const server of [...list.servers, ...running]) output.event({ event: 'server', ...shown(server) });
  for (const problem of list.problems) output.event({ event: 'problem', ...problem });
  if (output.json) return;

  if (wantsScan) tellRunning(context, running);
  if (list.servers.length === 0 && list.problems.length === 0) {
    output.line(`No MCP servers are defined in ${folder}.`);
    output.line('Looked for the files of every client known, here and among your own: .mcp.json, .vscode/mcp.json, …');
    output.line(
      'A server that no file names: “mcp-tunnel expose -- COMMAND ARG…”, or “--url http://localhost:PORT/mcp”.',
    );
    return;
  }
  const declared = list.servers.filter(({ guess }) => !guess);
  const guessed = list.servers.filter(({ guess }) => guess);
  if (declared.length > 0) {
    output.table(
      ['NAME', 'KIND', 'RUNS', 'DEFINED IN'],
      declared.map((server) => [server.name, server.transport.kind, runs(server.transport), place(server, from)]),
    );
  }
  if (guessed.length > 0) {
    if (declared.length > 0) output.line();
    output.line('Developed here; how they start is a guess:');
    output.table(
      ['NAME', 'RUNS', 'BECAUSE'],
      guessed.map((server) => [server.name, runs(server.transport), server.guess?.reason ?? '']),
    );
  }
  const unready = list.servers.filter((server) => server.problem !== undefined);
  const flagged = list.servers.some(({ secrets }) => secrets);
  if (flagged || unready.length + list.problems.length > 0) output.line();
  for (const server of unready) {
    output.line({ text: `${server.name}: `, style: 'yellow' }, server.problem ?? '', ` (${place(server, from)})`);
  }
  for (const { name, secrets, ...server } of list.servers) {
    if (!secrets) continue;
    const kept = secrets.committed ? 'git keeps this file, and it contains' : 'its file contains';
    const what = `${kept} what looks like a secret: ${secrets.where.join(', ')}`;
    output.line({ text: `${name}: `, style: 'yellow' }, what, ` (${place({ name, ...server }, from)})`);
  }
  for (const problem of list.problems) {
    output.line({ text: `${where(problem, from)}: `, style: 'red' }, problem.message);
  }
}

function tellRunning({ output }: CommandContext, running: readonly DiscoveredServer[]): void {
  if (running.length === 0) return output.line('No program that listens here answers as an MCP server.');
  output.line('Running; expose one with “mcp-tunnel expose --url URL”:');
  output.table(
    ['NAME', 'URL', 'PROCESS'],
    running.map((server) => [
      server.running?.needsAuth ? `${server.name} (asks for a credential)` : server.name,
      runs(server.transport),
      short(`${server.running?.pid ?? ''} ${server.running?.command ?? ''}`.trim()),
    ]),
  );
  output.line();
}

async function demandFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined);
  if (!found) throw new TunnelError('NOT_FOUND', `there is no folder ${folder}`);
  if (!found.isDirectory()) throw new TunnelError('USAGE', `${folder} is a file; name the folder it is in`);
}

/** The server without the values of its environment and headers. */
function shown(server: DiscoveredServer): object {
  const { transport, source, ...rest } = server;
  if (transport.kind === 'http') {
    return { ...rest, kind: 'http', url: transport.url, headerNames: Object.keys(transport.headers), ...source };
  }
  const { command, args, cwd } = transport;
  return { ...rest, kind: 'stdio', command, args, cwd, envNames: Object.keys(transport.env), ...source };
}

function runs(transport: ServerTransport): string {
  if (transport.kind === 'http') return transport.url;
  const words = [transport.command, ...transport.args].map((word) =>
    /^[^\s"'$\\]+$/.test(word) ? word : JSON.stringify(word),
  );
  return short(words.join(' '));
}

/** At most 60 characters: a command line is told by how it begins and by how it ends, not by the folders between. */
function short(line: string): string {
  return line.length > 60 ? `${line.slice(0, 20)}…${line.slice(-39)}` : line;
}

function place({ source, alsoIn = [] }: DiscoveredServer, from: From): string {
  const more = alsoIn.length === 0 ? '' : ` and ${alsoIn.length} more`;
  return `${shortPath(source.file ?? '', from)}:${source.line ?? 1}${more}`;
}

/** Where paths are shown from. */
type From = { folder: string; home: string };

/** From the folder on, or from the home folder. */
function shortPath(file: string, { folder, home }: From): string {
  const here = relative(folder, file);
  if (!here.startsWith('..')) return here;
  const own = relative(home, file);
  return own.startsWith('..') ? file : `~${sep}${own}`;
}

function where({ file, line, column }: DiscoveryProblem, from: From): string {
  return [shortPath(file, from), line, column].filter((part) => part !== undefined).join(':');
}
