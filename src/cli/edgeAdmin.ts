// The verbs on an edge, the same whether it runs (asked over its socket) or not (done on its files).
import { TunnelError } from '../core/errors.ts';
import type { EdgeAdministration } from '../edge/edgeAuthority.ts';
import { silentEdgeLog } from '../edge/edgeLog.ts';
import { EdgeState } from '../edge/edgeState.ts';
import { isTokenId, tokenId } from '../edge/tokenRules.ts';
import { connectControl } from '../helper/controlSocket.ts';
import type { EdgeAdmin, EdgeAdminClient, EdgeRoute, EdgeStatus } from '../protocol/edgeAdmin.ts';
import type { Peer } from '../protocol/peer.ts';
import type { CommandContext } from './command.ts';
import { joinRegistry } from './edgeRegistry.ts';
import { edgeDataFolder, readEdgeSettings, type EdgeSettings } from './edgeSettings.ts';

type Requests = EdgeAdmin['requests'];
export type EdgeVerbs = { [M in keyof Requests]: (params: Requests[M]['params']) => Promise<Requests[M]['result']> };

type LiveRoute = { hostname: string } & NonNullable<EdgeRoute['live']>;

/** On the edge's own state; `live` are the routes that are served now, `status` is how it runs, where it does. */
export function edgeVerbs(
  state: EdgeAdministration,
  settings: EdgeSettings,
  live: () => LiveRoute[],
  status?: () => Promise<EdgeStatus>,
): EdgeVerbs {
  return {
    'edge/info': async () => ({ domain: state.domain, port: settings.port, pin: state.serverIdentity().pin }),
    'edge/status': async () => {
      if (status) return status();
      throw new TunnelError(
        'EDGE_UNREACHABLE',
        `the edge ${state.domain} does not run: start it with “mcp-tunnel edge run”`,
      );
    },
    'edge/token': (params) => state.mintToken(params),
    'edge/tokens': async () => {
      await state.refresh();
      const tokens = state.tokens().map(({ labels, connector, expiresMs, digest }) => ({
        id: tokenId({ digest }),
        ...(labels ? { labels } : {}),
        ...(connector === undefined ? {} : { connector }),
        expiresMs,
      }));
      return { tokens };
    },
    'edge/routes': async () => {
      await state.refresh();
      const served = new Map(live().map((route) => [route.hostname, route]));
      const routes = state.claims().map(({ label, connector, claimedMs, usedMs }): EdgeRoute => {
        const hostname = `${label}.${state.domain}`;
        const now = served.get(hostname);
        return {
          hostname,
          connector,
          claimedMs,
          usedMs,
          ...(now ? { live: liveOf(now) } : {}),
        };
      });
      const connectors = state.connectors().map(({ id, labels, enrolledMs, expiresMs, revokedMs }) => ({
        id,
        enrolledMs,
        expiresMs,
        ...(labels ? { labels } : {}),
        ...(revokedMs === undefined ? {} : { revokedMs }),
      }));
      return { routes, connectors };
    },
    'edge/revoke': async ({ id }) => {
      await (isTokenId(id) ? state.revokeToken(id) : state.revokeConnector(id));
      return null;
    },
    'edge/transfer': async ({ label, connector }) => {
      await state.transferLabel(label, connector);
      return null;
    },
    'edge/release': async ({ label }) => {
      await state.releaseLabel(label);
      return null;
    },
  };
}

function liveOf({ instance, sinceMs, links, visitors }: LiveRoute): NonNullable<EdgeRoute['live']> {
  const counts = { ...(links === undefined ? {} : { links }), ...(visitors === undefined ? {} : { visitors }) };
  return { instance, sinceMs, ...counts };
}

/** What the running edge's socket answers. */
export function answerVerbs(peer: Peer<EdgeAdmin, EdgeAdminClient>, verbs: EdgeVerbs): void {
  peer.handle('edge/info', verbs['edge/info']);
  peer.handle('edge/status', verbs['edge/status']);
  peer.handle('edge/token', verbs['edge/token']);
  peer.handle('edge/tokens', verbs['edge/tokens']);
  peer.handle('edge/routes', verbs['edge/routes']);
  peer.handle('edge/revoke', verbs['edge/revoke']);
  peer.handle('edge/transfer', verbs['edge/transfer']);
  peer.handle('edge/release', verbs['edge/release']);
}

/** Runs `use` on the edge whose data is in `data`. Throws `NOT_FOUND` when no edge was ever run there. */
export async function withEdge<T>(
  context: CommandContext,
  data: string | undefined,
  use: (edge: EdgeVerbs) => Promise<T>,
): Promise<T> {
  const folder = edgeDataFolder(context, data);
  const running = await reachEdge(context, folder);
  if (!running) return onFiles(context, folder, use);
  try {
    return await use({
      'edge/info': (params) => running.request('edge/info', params, context.signal),
      'edge/status': (params) => running.request('edge/status', params, context.signal),
      'edge/token': (params) => running.request('edge/token', params, context.signal),
      'edge/tokens': (params) => running.request('edge/tokens', params, context.signal),
      'edge/routes': (params) => running.request('edge/routes', params, context.signal),
      'edge/revoke': (params) => running.request('edge/revoke', params, context.signal),
      'edge/transfer': (params) => running.request('edge/transfer', params, context.signal),
      'edge/release': (params) => running.request('edge/release', params, context.signal),
    });
  } finally {
    running.close();
  }
}

async function reachEdge(
  { paths }: CommandContext,
  folder: string,
): Promise<Peer<EdgeAdminClient, EdgeAdmin> | undefined> {
  try {
    return (await connectControl<EdgeAdminClient, EdgeAdmin>(paths.edgeSocket(folder))).start();
  } catch (error) {
    if (error instanceof TunnelError && error.code === 'CLOSED') return undefined; // It does not run.
    throw error;
  }
}

async function onFiles<T>(
  { files, clock, signal }: CommandContext,
  folder: string,
  use: (edge: EdgeVerbs) => Promise<T>,
): Promise<T> {
  const settings = await readEdgeSettings(files, folder);
  if (!settings) {
    throw new TunnelError('NOT_FOUND', `no edge has its data in ${folder}; start one with “mcp-tunnel edge run”`);
  }
  const { domain, port, registry } = settings;
  const options = { files, folder, domain, clock };
  if (!registry) return use(edgeVerbs(await EdgeState.load(options), settings, () => []));

  const listen = { host: 'localhost', port }; // Nobody hears of it: this process serves nothing.
  const cluster = await joinRegistry({ ...options, registry, listen, addresses: {}, log: silentEdgeLog }, signal);
  try {
    return await use(edgeVerbs(cluster.state, settings, () => cluster.routes()));
  } finally {
    await cluster.close();
  }
}
