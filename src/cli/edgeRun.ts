// `mcp-tunnel edge run`: an edge in the foreground, until SIGINT or SIGTERM.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemCode, TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import { Lifetime } from '../core/lifetime.ts';
import { Edge } from '../edge/edge.ts';
import { EdgeLogger } from '../edge/edgeLog.ts';
import { EdgeState } from '../edge/edgeState.ts';
import { enrolmentHandler } from '../edge/enrolment.ts';
import type { ServerSource } from '../edge/serverIdentity.ts';
import { serveControl } from '../helper/controlSocket.ts';
import type { EdgeAdmin, EdgeAdminClient } from '../protocol/edgeAdmin.ts';
import type { CommandContext } from './command.ts';
import { answerVerbs, edgeVerbs, type EdgeVerbs } from './edgeAdmin.ts';
import { edgeFront, type EdgeFrontOptions } from './edgeFront.ts';
import { dataOption, edgeDataFolder, readEdgeSettings, writeEdgeSettings } from './edgeSettings.ts';
import { untilAborted } from './untilAborted.ts';

export type EdgeRunOptions = EdgeFrontOptions & {
  domain?: string;
  listen: HostPort;
  data?: string;
  cert?: string;
  key?: string;
};

export async function edgeRun(context: CommandContext, options: EdgeRunOptions): Promise<void> {
  const { output, paths, files, clock, signal } = context;
  const folder = edgeDataFolder(context, options.data);
  const server = serverSource(context, options);
  const domain = await domainOf(context, folder, options);
  const lifetime = new Lifetime();
  const write = (line: string): void => output.log({ text: line, style: 'dim' });
  const log = lifetime.add(new EdgeLogger({ clock, format: 'text', level: 'info', write }));
  try {
    const state = await EdgeState.load({ files, folder, domain, clock, ...(server ? { server } : {}) });
    const settings = { domain, port: options.listen.port };
    // The socket comes first: a second edge on the same data ends here, before it takes a visitor.
    const verbs = edgeVerbs(state, settings, () => edge?.routes() ?? []);
    let edge: Edge | undefined;
    lifetime.add(await answerOthers(paths.edgeSocket(folder), verbs, folder));
    const enrolment = enrolmentHandler(state, { clock, log });
    const front = await edgeFront(context, options, { lifetime, log });
    edge = lifetime.add(await Edge.start({ state, domain, listen: options.listen, clock, log, enrolment, ...front }));
    settings.port = edge.port;
    await writeEdgeSettings(files, folder, settings);

    const { pin } = state.serverIdentity();
    announce(context, { domain, host: options.listen.host, port: edge.port, pin, folder }, dataOption(options.data));
    await untilAborted(signal);
  } finally {
    await lifetime.close();
  }
}

/** The verbs of other processes, until closed. Throws `CONFLICT` where another edge runs on this data. */
async function answerOthers(path: string, verbs: EdgeVerbs, folder: string): Promise<{ close(): Promise<void> }> {
  try {
    return await serveControl<EdgeAdmin, EdgeAdminClient>(path, (peer) => answerVerbs(peer, verbs));
  } catch (error) {
    if (!(error instanceof TunnelError) || error.code !== 'CONFLICT') throw error;
    const message = `an edge with its data in ${folder} is running already; give another one a --data folder of its own`;
    throw new TunnelError('CONFLICT', message, { cause: error });
  }
}

async function domainOf({ files }: CommandContext, folder: string, { domain }: EdgeRunOptions): Promise<string> {
  const known = await readEdgeSettings(files, folder);
  const chosen = domain ?? known?.domain;
  if (chosen === undefined) throw new TunnelError('USAGE', 'name the edge’s domain with --domain edge.example.com');
  if (known && known.domain !== chosen) {
    throw new TunnelError(
      'USAGE',
      `${folder} holds the data of ${known.domain}; give ${chosen} a --data folder of its own`,
    );
  }
  return chosen;
}

/** Read at the start, and again while the edge runs: certbot and its like replace the files. */
function serverSource({ folder }: CommandContext, { cert, key }: EdgeRunOptions): ServerSource | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new TunnelError('USAGE', '--cert and --key go together');
  return async () => {
    // One after the other: where neither can be read, the error always names the same one.
    const certificatePem = await readPem(resolve(folder, cert));
    return { certificatePem, keyPem: await readPem(resolve(folder, key)) };
  };
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TunnelError('USAGE', `${file} cannot be read (${systemCode(cause) ?? 'unknown error'})`, { cause });
  }
}

type Running = { domain: string; host: string; port: number; pin: string; folder: string };

function announce({ output }: CommandContext, { domain, host, port, pin, folder }: Running, sameData: string): void {
  const edge = formatHostPort({ host: domain, port });
  output.event({ event: 'ready', domain, address: formatHostPort({ host, port }), edge, pin, data: folder });
  output.line({ text: `The edge ${domain} is running.`, style: 'bold' });
  output.line('  Listens   ', formatHostPort({ host, port }));
  output.line('  Pin       ', { text: pin, style: 'cyan' });
  output.line('  Stop      ', 'Ctrl-C');
  output.line();
  output.line(
    `To enrol a machine: “mcp-tunnel edge token${sameData} --token-file token.txt” here, then there, with that file:`,
  );
  output.line({ text: `  mcp-tunnel allow add edge ${edge}`, style: 'cyan' });
  output.line({ text: `  mcp-tunnel enroll ${edge} --pin ${pin} --token-file token.txt`, style: 'cyan' });
  output.line();
}
