// `mcp-tunnel expose`: one tunnel in the foreground, until SIGINT or SIGTERM.
import { TunnelError } from '../core/errors.ts';
import type { HostPort } from '../core/hostname.ts';
import type { Destination, GrantScope, OpenTunnel, TunnelInfo } from '../protocol/control.ts';
import type { CommandContext } from './command.ts';
import { announceTunnel } from './announceTunnel.ts';
import { exchangeLine } from './exchangeLine.ts';
import { TrafficFollower } from './followTraffic.ts';
import { serveHealth } from './healthServer.ts';
import { namedServer } from './namedServer.ts';
import { startOwnHelper, type HelperPeer } from './ownHelper.ts';
import { pairAtTerminal } from './pairAtTerminal.ts';

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
  health?: HostPort;
  traffic?: boolean;
  oauth?: boolean;
};

/** How long a new grant lasts when nobody says otherwise. */
export const defaultExpiresMs = 8 * 60 * 60 * 1000;

export async function expose(context: CommandContext, name: string | undefined, options: ExposeOptions): Promise<void> {
  const { output, signal, clock } = context;
  const destination = destinationOf(options);
  const closed = new AbortController();
  let tunnel: TunnelInfo | undefined;
  let lastState = '';
  const showState = ({ tunnels }: { tunnels: TunnelInfo[] }): void => {
    tunnel = tunnels[0];
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
  const health = options.health && (await serveHealth(options.health, () => tunnel, clock));
  try {
    const server = await namedServer(context, helper.peer, name, options);
    const grant = {
      name: `expose ${new Date(clock.now()).toISOString().slice(0, 16)}`,
      scope: scopeOf(options),
      expiresMs: clock.now() + (options.expires ?? defaultExpiresMs),
    };
    const request: OpenTunnel = {
      ...server,
      destination,
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.port === undefined ? {} : { port: options.port }),
      grant,
      ...(options.oauth ? { auth: { oauth: true } } : {}),
    };
    const opened = await helper.peer.request('tunnel/open', request, signal);
    await announceTunnel(context, opened, options.tokenFile);
    if (health) output.event({ event: 'health', port: health.port });
    ready = true;
    lastState = JSON.stringify(opened.tunnel.state);
    if (options.traffic || !output.json) await followTraffic(context, helper.peer, opened.tunnel.id);
    const over = AbortSignal.any([signal, closed.signal]);
    if (options.oauth) pairAtTerminal(context, helper.peer, opened.tunnel.id, over);
    await ended(over);
    if (closed.signal.aborted) throw closed.signal.reason;
  } finally {
    if (health) await health.close();
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
