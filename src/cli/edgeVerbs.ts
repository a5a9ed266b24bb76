// `mcp-tunnel edge token | routes | revoke`.
import { roughDuration } from '../core/duration.ts';
import { formatHostPort } from '../core/hostname.ts';
import type { EdgeConnector, EdgeRoute } from '../protocol/edgeAdmin.ts';
import type { CommandContext } from './command.ts';
import { dataOption } from './edgeSettings.ts';
import { withEdge } from './edgeAdmin.ts';
import { writeSecret } from './secretText.ts';

export type EdgeTokenOptions = { data?: string; label?: string[]; expires: number; tokenFile?: string };

export async function edgeToken(context: CommandContext, options: EdgeTokenOptions): Promise<void> {
  const { output, clock } = context;
  const { data, label, tokenFile } = options;
  const { token, expiresMs, domain, port, pin } = await withEdge(context, data, async (edge) => {
    const request = { expiresMs: clock.now() + options.expires, ...(label ? { labels: label } : {}) };
    return { ...(await edge['edge/info']({})), ...(await edge['edge/token'](request)) };
  });
  if (tokenFile !== undefined) await writeSecret(context, tokenFile, token);
  const shown = tokenFile === undefined ? { token } : { tokenFile };
  const edge = formatHostPort({ host: domain, port });
  output.event({ event: 'token', ...shown, expiresMs, edge, pin });
  output.line(tokenFile === undefined ? token : `The token is in ${tokenFile}.`);
  const file = tokenFile === undefined ? 'with it in token.txt' : 'with that file';
  output.log(`Works once, within ${roughDuration(options.expires)}. On the machine that is to be enrolled, ${file}:`);
  output.log({ text: `  mcp-tunnel allow add edge ${edge}`, style: 'cyan' });
  output.log({ text: `  mcp-tunnel enroll ${edge} --pin ${pin} --token-file token.txt`, style: 'cyan' });
}

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

export async function edgeRevoke(
  context: CommandContext,
  connector: string | undefined,
  { data }: { data?: string },
): Promise<void> {
  const id = connector ?? '';
  await withEdge(context, data, (edge) => edge['edge/revoke']({ connector: id }));
  context.output.event({ event: 'revoked', connector: id });
  context.output.line(`Connector ${id} is cut off, and the names it owned are free.`);
}

function routeRow({ hostname, connector, usedMs, live }: EdgeRoute, now: number): string[] {
  const state = live
    ? `served for ${roughDuration(now - live.sinceMs)}`
    : `last used ${roughDuration(now - usedMs)} ago`;
  return [hostname, connector, state];
}

function connectorRow({ id, labels, expiresMs, revokedMs }: EdgeConnector, now: number): string[] {
  const state =
    revokedMs !== undefined ? 'revoked' : expiresMs <= now ? 'expired' : `${roughDuration(expiresMs - now)} left`;
  return [id, labels?.join(' ') ?? 'any', state];
}
