// `mcp-tunnel edge routes | status | revoke | transfer | release`.
import { roughDuration } from '../core/duration.ts';
import { TunnelError } from '../core/errors.ts';
import { formatHostPort } from '../core/hostname.ts';
import type { EdgeConnector, EdgeRoute } from '../protocol/edgeAdmin.ts';
import type { CommandContext } from './command.ts';
import { dataOption } from './edgeSettings.ts';
import { withEdge } from './edgeAdmin.ts';

export async function edgeRoutes(context: CommandContext, { data }: { data?: string }): Promise<void> {
  const { output, clock } = context;
  const { routes, connectors } = await withEdge(context, data, (edge) => edge['edge/routes']({}));
  for (const route of routes) output.event({ event: 'route', ...route });
  for (const connector of connectors) output.event({ event: 'connector', ...connector });
  if (output.json) return;

  if (routes.length === 0) output.line('No name is owned by a connector yet.');
  else
    output.table(
      ['HOSTNAME', 'CONNECTOR', 'STATE'],
      routes.map((route) => routeRow(route, clock.now())),
    );
  output.line();
  if (connectors.length === 0) {
    output.line(`No machine is enrolled; make a token with “mcp-tunnel edge token${dataOption(data)}”.`);
  } else
    output.table(
      ['CONNECTOR', 'NAMES', 'CERTIFICATE'],
      connectors.map((one) => connectorRow(one, clock.now())),
    );
}

/** Fails, after all was shown, where the edge is not ready: scripts and probes look at the exit code. */
export async function edgeStatus(context: CommandContext, { data }: { data?: string }): Promise<void> {
  const { output, clock } = context;
  const { status, info } = await withEdge(context, data, async (edge) => {
    return { status: await edge['edge/status']({}), info: await edge['edge/info']({}) };
  });
  const { domain, port, pin } = info;
  const { version, pid, sinceMs, ready, draining, links, connectors, routes, visitors, reloadFailed } = status;
  output.event({ event: 'status', domain, port, pin, ...status });
  const state = ready ? 'ready' : draining ? 'not ready: it is about to end' : 'not ready';
  output.line({ text: `The edge ${formatHostPort({ host: domain, port })} is ${state}.`, style: 'bold' });
  output.line('  Runs      ', `for ${roughDuration(clock.now() - sinceMs)}, as process ${pid}, version ${version}`);
  output.line('  Serves    ', `${counted(routes, 'name')} to ${counted(visitors, 'visitor')}`);
  output.line('  Holds     ', `${counted(links, 'link')} of ${counted(connectors, 'connector')}`);
  output.line('  Pin       ', { text: pin, style: 'cyan' });
  if (reloadFailed)
    output.line({ text: '  The settings on the disk are not those in use: its log says why.', style: 'yellow' });
  if (!ready) throw new TunnelError('EDGE_UNREACHABLE', `the edge is ${state}`);
}

export async function edgeRevoke(
  context: CommandContext,
  named: string | undefined,
  { data }: { data?: string },
): Promise<void> {
  const id = named ?? '';
  await withEdge(context, data, (edge) => edge['edge/revoke']({ id }));
  const isToken = id.startsWith('token-');
  context.output.event({ event: 'revoked', ...(isToken ? { token: id } : { connector: id }) });
  context.output.line(
    isToken ? `${id} enrols nobody any more.` : `Connector ${id} is cut off, and the names it owned are free.`,
  );
}

export async function edgeTransfer(
  context: CommandContext,
  [label = '', connector = '']: readonly (string | undefined)[],
  { data }: { data?: string },
): Promise<void> {
  await withEdge(context, data, (edge) => edge['edge/transfer']({ label, connector }));
  context.output.event({ event: 'transferred', label, connector });
  context.output.line(`The name ${label} belongs to connector ${connector} now.`);
}

export async function edgeRelease(
  context: CommandContext,
  named: string | undefined,
  { data }: { data?: string },
): Promise<void> {
  const label = named ?? '';
  await withEdge(context, data, (edge) => edge['edge/release']({ label }));
  context.output.event({ event: 'released', label });
  context.output.line(`The name ${label} is free: it belongs to whoever claims it next.`);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function routeRow({ hostname, connector, usedMs, live }: EdgeRoute, now: number): string[] {
  if (!live) return [hostname, connector, `last used ${roughDuration(now - usedMs)} ago`];
  const { sinceMs, links, visitors } = live;
  const served = [`served for ${roughDuration(now - sinceMs)}`];
  if (links !== undefined) served.push(counted(links, 'link'));
  if (visitors !== undefined) served.push(counted(visitors, 'visitor'));
  return [hostname, connector, served.join(', ')];
}

function connectorRow({ id, labels, expiresMs, revokedMs }: EdgeConnector, now: number): string[] {
  const state =
    revokedMs !== undefined ? 'revoked' : expiresMs <= now ? 'expired' : `${roughDuration(expiresMs - now)} left`;
  return [id, labels?.join(' ') ?? 'any', state];
}
