// `expose --health`: what a supervisor and a scraper are told of one tunnel. Ready is that an agent was answered through
// the public name, never that a socket is up.
import type { Clock } from '../core/clock.ts';
import type { HostPort } from '../core/hostname.ts';
import { EventLoopLag } from '../edge/processMetrics.ts';
import { productVersion } from '../helper/product.ts';
import type { ExchangeRow } from '../mcp/exchange.ts';
import type { TunnelInfo } from '../protocol/control.ts';
import type { CallsUnderWay } from './callsUnderWay.ts';
import { serveHealth, type Health } from './healthServer.ts';

/** The tunnel as it is now, and whether it is about to end. */
export type WatchedTunnel = { readonly tunnel: TunnelInfo | undefined; readonly isEnding: boolean };

/** What `/readyz` says. */
export function readiness({ tunnel, isEnding }: WatchedTunnel, nowMs: number): Health {
  const state = isEnding ? 'ending' : (tunnel?.state.kind ?? 'starting');
  const lastExchangeAgeMs = tunnel?.lastExchangeMs === undefined ? null : nowMs - tunnel.lastExchangeMs;
  const ready = state === 'connected' && lastExchangeAgeMs !== null;
  return { status: ready ? 200 : 503, body: { ready, state, lastExchangeAgeMs } };
}

export type TunnelHealth = { port: number; see(row: ExchangeRow): void; close(): Promise<void> };

/** Throws what `serveHealth` throws. */
export async function serveTunnelHealth(
  address: HostPort,
  watched: WatchedTunnel,
  calls: CallsUnderWay,
  clock: Clock,
): Promise<TunnelHealth> {
  const { TunnelMetrics } = await import('./tunnelMetrics.ts');
  const lag = new EventLoopLag();
  const metrics = new TunnelMetrics({
    tunnel: () => watched.tunnel,
    open: () => calls.count,
    isReady: () => readiness(watched, clock.now()).status === 200,
    version: productVersion,
    lag,
  });
  try {
    const server = await serveHealth(address, { readiness: () => readiness(watched, clock.now()), metrics });
    const close = async (): Promise<void> => {
      lag.close();
      await server.close();
    };
    return { port: server.port, see: (row) => metrics.see(row), close };
  } catch (error) {
    lag.close();
    throw error;
  }
}
