// `mcp-tunnel edge run`: an edge in the foreground, until SIGINT or SIGTERM; SIGHUP reads its settings anew.
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { systemCode, TunnelError } from '../core/errors.ts';
import { formatHostPort } from '../core/hostname.ts';
import { Lifetime } from '../core/lifetime.ts';
import { Edge } from '../edge/edge.ts';
import { EdgeLogger } from '../edge/edgeLog.ts';
import { EdgeState } from '../edge/edgeState.ts';
import { enrolmentHandler } from '../edge/enrolment.ts';
import type { BroughtCertificate, ServerSource } from '../edge/serverIdentity.ts';
import { serveControl } from '../helper/controlSocket.ts';
import type { EdgeAdmin, EdgeAdminClient, EdgeStatus } from '../protocol/edgeAdmin.ts';
import type { CommandContext } from './command.ts';
import { answerVerbs, edgeVerbs, type EdgeVerbs } from './edgeAdmin.ts';
import { edgeFront } from './edgeFront.ts';
import { edgeStatus, serveEdgeHealth, type WatchedEdge } from './edgeHealth.ts';
import { planEdge, type EdgePlan, type EdgeRunOptions } from './edgePlan.ts';
import { joinRegistry, registrySettings } from './edgeRegistry.ts';
import { EdgeReload } from './edgeReload.ts';
import { dataOption, edgeDataFolder, readEdgeSettings, writeEdgeSettings } from './edgeSettings.ts';
import { untilAborted } from './untilAborted.ts';

export async function edgeRun(context: CommandContext, words: EdgeRunOptions): Promise<void> {
  const { output, paths, files, clock, signal, urgent, onHangup } = context;
  let reload: EdgeReload | undefined;
  let isHangupDue = false;
  // From the first moment: until the edge runs SIGHUP must not end it, and what it asks for is done once it does.
  onHangup(() => (reload ? void reload.reload() : (isHangupDue = true)));
  const plan = await planEdge(context.folder, words);
  const folder = edgeDataFolder(context, plan.data);
  const domain = await domainOf(context, folder, plan);
  const lifetime = new Lifetime();
  const log = lifetime.add(edgeLogger(context, plan));
  try {
    const kept = { files, folder, domain, clock, ...serverOf(plan), reserved: plan.reservedLabels };
    const registry = registrySettings(context, plan.registry);
    const cluster =
      registry &&
      lifetime.add(
        await joinRegistry({ ...kept, registry, listen: plan.listen, addresses: plan.registry, log }, signal),
      );
    const state = cluster?.state ?? (await EdgeState.load(kept));
    const settings = { domain, port: plan.listen.port, registry };
    let edge: Edge | undefined;
    const watched: WatchedEdge = {
      edge: () => edge,
      // A registry has its own word; what this node knows of it is at hand.
      ...(cluster ? { registry: () => (cluster.problem === undefined ? 'reached' : 'away') } : {}),
      checkState: async () => (cluster ? undefined : state.refresh()),
      unspentTokens: () => state.tokens().length,
      certificateExpiresMs: () => Date.parse(new X509Certificate(state.serverIdentity().certificatePem).validTo),
      reloads: () => reload?.figures ?? { succeeded: 0, failed: 0, lastFailed: false },
    };
    const status = (): Promise<EdgeStatus> => edgeStatus(watched);
    const verbs = edgeVerbs(state, settings, () => [...(cluster?.routes() ?? []), ...(edge?.routes() ?? [])], status);
    // The socket comes first: a second edge on the same data ends here, before it takes a visitor.
    lifetime.add(await answerOthers(paths.edgeSocket(folder), verbs, folder));
    const health = plan.health && lifetime.add(await serveEdgeHealth(plan.health, watched));
    const enrolment = enrolmentHandler(state, { clock, log });
    const front = await edgeFront(plan, { lifetime, log });
    const { limits, listen } = plan;
    const nodes = cluster ? { cluster } : {};
    edge = lifetime.add(await Edge.start({ state, domain, listen, limits, clock, log, enrolment, ...front, ...nodes }));
    settings.port = edge.port;
    await writeEdgeSettings(files, folder, settings);
    reload = new EdgeReload({
      plan,
      read: () => planEdge(context.folder, words),
      edge,
      reloadServer: () => state.reloadServer(),
      log,
    });
    if (isHangupDue) void reload.reload();

    const { pin } = state.serverIdentity();
    announce(context, { domain, host: listen.host, port: edge.port, pin, folder, health: health?.port }, words.data);
    await untilAborted(signal);
    await edge.drain({ ...plan.drain, reason: 'the edge was told to end', urgent });
    output.event({ event: 'ended' });
  } finally {
    await lifetime.close();
  }
}

function edgeLogger({ output, clock }: CommandContext, { log: { format, level } }: EdgePlan): EdgeLogger {
  const write = (line: string): void => output.log(format === 'json' ? line : { text: line, style: 'dim' });
  return new EdgeLogger({ clock, format, level, write });
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

async function domainOf({ files }: CommandContext, folder: string, { domain }: EdgePlan): Promise<string> {
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

/** Read at the start, and again while the edge runs: certbot and its like replace the files, and a reload may name others. */
function serverOf(plan: EdgePlan): { server?: ServerSource } {
  if (!plan.certificate) return {};
  const server = async (): Promise<BroughtCertificate> => {
    const { cert, key } = plan.certificate!;
    // One after the other: where neither can be read, the error always names the same one.
    const certificatePem = await readPem(cert);
    return { certificatePem, keyPem: await readPem(key) };
  };
  return { server };
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TunnelError('USAGE', `${file} cannot be read (${systemCode(cause) ?? 'unknown error'})`, { cause });
  }
}

type Running = { domain: string; host: string; port: number; pin: string; folder: string; health: number | undefined };

function announce({ output }: CommandContext, running: Running, data: string | undefined): void {
  const { domain, host, port, pin, folder, health } = running;
  const edge = formatHostPort({ host: domain, port });
  const shown = health === undefined ? {} : { health };
  output.event({ event: 'ready', domain, address: formatHostPort({ host, port }), edge, pin, data: folder, ...shown });
  output.line({ text: `The edge ${domain} is running.`, style: 'bold' });
  output.line('  Listens   ', formatHostPort({ host, port }));
  output.line('  Pin       ', { text: pin, style: 'cyan' });
  if (health !== undefined)
    output.line('  Health    ', `/healthz, /readyz and /metrics on port ${health}, this machine only`);
  output.line('  Stop      ', 'Ctrl-C');
  output.line();
  output.line(
    `To enrol a machine: “mcp-tunnel edge token${dataOption(data)} --token-file token.txt” here, then there, with that file:`,
  );
  output.line({ text: `  mcp-tunnel allow add edge ${edge}`, style: 'cyan' });
  output.line({ text: `  mcp-tunnel enroll ${edge} --pin ${pin} --token-file token.txt`, style: 'cyan' });
  output.line();
}
