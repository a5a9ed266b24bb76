// `mcp-tunnel expose`: one tunnel in the foreground, until SIGINT or SIGTERM.
import { TunnelError } from '../core/errors.ts';
import type { HostPort } from '../core/hostname.ts';
import { Lifetime } from '../core/lifetime.ts';
import type { Destination, OpenTunnel } from '../protocol/control.ts';
import { allowFromOf } from './allowFrom.ts';
import { certificateOf, type CertificateOptions } from './certificateOptions.ts';
import type { CommandContext } from './command.ts';
import { announceTunnel } from './announceTunnel.ts';
import { exchangeLine } from './exchangeLine.ts';
import { TrafficFollower } from './followTraffic.ts';
import { CallsUnderWay } from './callsUnderWay.ts';
import { defaultFinishMs, finishCalls } from './finishCalls.ts';
import { holdAtTerminal } from './holdAtTerminal.ts';
import { namedServer } from './namedServer.ts';
import { startOwnHelper, type HelperPeer } from './ownHelper.ts';
import { scopeOf, type ScopeOptions } from './scopeOptions.ts';
import { restartOnSignal, runOf, type RunOptions } from './serverRun.ts';
import { serveTunnelHealth, type TunnelHealth } from './tunnelHealth.ts';
import { TunnelStates } from './tunnelStates.ts';
import { untilAborted } from './untilAborted.ts';
import { pairAtTerminal } from './pairAtTerminal.ts';

export type ExposeOptions = ScopeOptions &
  RunOptions &
  CertificateOptions & {
    url?: string;
    carrier?: string;
    edge?: string;
    name?: string;
    port?: number;
    expires?: number;
    policy?: string;
    tokenFile?: string;
    health?: HostPort;
    drain?: number;
    traffic?: boolean;
    allowFrom?: string[];
    oauth?: boolean;
    ask?: string[];
    auth?: string;
  };

/** How long a new grant lasts when nobody says otherwise. */
export const defaultExpiresMs = 8 * 60 * 60 * 1000;

export async function expose(context: CommandContext, name: string | undefined, options: ExposeOptions): Promise<void> {
  const { output, signal } = context;
  if (options.ask && options.oauth)
    throw new TunnelError('USAGE', '--ask and --oauth both need the terminal: use one of them');
  const destination = destinationOf(options);
  const run = runOf(context, options);
  const certificate = certificateOf(context, options);
  const allowFrom = await allowFromOf(context, options.allowFrom);
  const states = new TunnelStates(output);
  const lifetime = new Lifetime();
  try {
    const helper = lifetime.add(await ownHelper(context, states, options));
    const calls = new CallsUnderWay();
    const health =
      options.health && lifetime.add(await serveTunnelHealth(options.health, states, calls, context.clock));
    const server = await namedServer(context, helper.peer, name, options);
    const over = AbortSignal.any([signal, states.failed]);
    const asks = { ask: options.ask ?? [], isBusy: options.oauth === true, over };
    await holdAtTerminal(context, helper.peer, asks);
    const opened = await helper.peer.request(
      'tunnel/open',
      {
        ...server,
        destination,
        ...(options.name === undefined ? {} : { name: options.name }),
        ...(options.port === undefined ? {} : { port: options.port }),
        grant: grantOf(context, options),
        ...(run === undefined ? {} : { run }),
        ...(certificate === undefined ? {} : { certificate }),
        ...(allowFrom === undefined ? {} : { allowFrom }),
        auth: authOf(options),
      },
      signal,
    );
    // The token was made for this run: it ends with it. After a kill -9 it ends when it expires.
    lifetime.defer(async () => void (await helper.peer.request('grants/revoke', { id: opened.grant!.id })));
    await announceTunnel(context, opened, options);
    if (health) output.event({ event: 'health', port: health.port });
    states.begin(opened.tunnel);
    const follower = followTraffic(context, helper.peer, opened.tunnel.id, { calls, health, options });
    if (health || options.traffic || !output.json) await follower.start();
    restartOnSignal(context, helper.peer, opened.tunnel.id, over);
    if (options.oauth) pairAtTerminal(context, helper.peer, opened.tunnel.id, over);
    await untilAborted(over);
    if (states.failed.aborted) throw states.failed.reason;
    states.isEnding = true;
    await finishCalls(context, follower, calls, options.drain ?? defaultFinishMs);
  } finally {
    await lifetime.close();
  }
}

async function ownHelper(
  context: CommandContext,
  states: TunnelStates,
  { policy }: ExposeOptions,
): Promise<{ peer: HelperPeer; close(): Promise<void> }> {
  const prepare = (peer: HelperPeer): void => {
    peer.on('tunnels/changed', ({ tunnels }) => states.changed(tunnels));
    peer.on('log', ({ message }) => context.output.log({ text: message, style: 'dim' }));
  };
  const helper = await startOwnHelper(context, prepare, policy === undefined ? {} : { policy });
  return { peer: helper.peer, close: () => helper.stop() };
}

function authOf({ auth = 'tunnel', oauth = false }: ExposeOptions): NonNullable<OpenTunnel['auth']> {
  if (auth !== 'tunnel' && auth !== 'upstream') {
    throw new TunnelError('USAGE', `--auth is tunnel or upstream, not “${auth}”`);
  }
  return { oauth, upstream: auth === 'upstream' };
}

function grantOf({ clock }: CommandContext, options: ExposeOptions): OpenTunnel['grant'] {
  return {
    name: `expose ${new Date(clock.now()).toISOString().slice(0, 16)}`,
    scope: scopeOf(options),
    expiresMs: clock.now() + (options.expires ?? defaultExpiresMs),
  };
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

type Followers = { calls: CallsUnderWay; health: TunnelHealth | undefined; options: ExposeOptions };

/** To be started. */
function followTraffic(
  { output }: CommandContext,
  peer: HelperPeer,
  tunnel: string,
  { calls, health, options }: Followers,
): TrafficFollower {
  return new TrafficFollower(peer, (row) => {
    if (row.tunnel !== tunnel) return;
    calls.see(row);
    health?.see(row);
    if (row.status === 'pending' || (output.json && !options.traffic)) return;
    output.sample({ event: 'exchange', ...row });
    output.line(...exchangeLine(row));
  });
}
