// `edge run --health`: what a supervisor and a scraper are told of an edge. Ready is that it takes visitors, will go on
// to, and can read what it knows of connectors and names. A registry that is away is told beside it: what is up works on
// without it on every node alike, so a load balancer must not take them all out.
import type { HostPort } from '../core/hostname.ts';
import type { Edge } from '../edge/edge.ts';
import type { EdgeFigures } from '../edge/edgeMetrics.ts';
import type { EdgeStatus } from '../protocol/edgeAdmin.ts';
import { EventLoopLag } from '../edge/processMetrics.ts';
import { productVersion } from '../helper/product.ts';
import { serveHealth, type Health } from './healthServer.ts';

export type WatchedEdge = {
  edge: () => Edge | undefined;
  /** Rejects when the edge's state cannot be read. */
  checkState: () => Promise<void>;
  /** Where it shares one with other nodes. */
  registry?: () => 'reached' | 'away';
  unspentTokens: () => number;
  certificateExpiresMs: () => number;
  reloads: () => EdgeFigures['reloads'];
};

/** What `/readyz` says. */
export async function edgeReadiness({ edge, checkState, registry }: WatchedEdge): Promise<Health> {
  const running = edge();
  const draining = running?.isDraining ?? false;
  const listening = running?.isOpen ?? false;
  const state = await checkState().then(
    () => 'readable',
    () => 'unreadable', // The log says why.
  );
  const ready = listening && state === 'readable';
  return {
    status: ready ? 200 : 503,
    body: { ready, listening, draining, state, ...(registry ? { registry: registry() } : {}) },
  };
}

/** What `edge status` says. */
export async function edgeStatus(watched: WatchedEdge): Promise<EdgeStatus> {
  const { edge, reloads } = watched;
  const { links = 0, connectors = 0, routes = 0, visitors = 0, isDraining = false } = edge()?.figures() ?? {};
  return {
    version: productVersion,
    pid: process.pid,
    sinceMs: Math.round(Date.now() - process.uptime() * 1000),
    ready: (await edgeReadiness(watched)).status === 200,
    draining: isDraining,
    links,
    connectors,
    routes,
    visitors,
    reloadFailed: reloads().lastFailed,
  };
}

/** Throws what `serveHealth` throws. */
export async function serveEdgeHealth(
  address: HostPort,
  watched: WatchedEdge,
): Promise<{ port: number; close(): Promise<void> }> {
  const { edgeMetrics } = await import('../edge/edgeMetrics.ts');
  const { makeEdgeCounters } = await import('../edge/edgeCounters.ts');
  const lag = new EventLoopLag();
  const nothing = { counters: makeEdgeCounters(), links: 0, connectors: 0, routes: 0, visitors: 0, heldBytes: 0 };
  const none = { ...nothing, bytesToConnectors: 0, bytesToVisitors: 0, isDraining: false };
  let isReady = false;
  const figures = edgeMetrics(
    () => ({
      ...(watched.edge()?.figures() ?? none),
      isReady,
      registryAway: watched.registry?.() === 'away',
      unspentTokens: watched.unspentTokens(),
      certificateExpiresMs: watched.certificateExpiresMs(),
      reloads: watched.reloads(),
    }),
    productVersion,
    lag,
  );
  const metrics = {
    contentType: figures.contentType,
    async print() {
      isReady = (await edgeReadiness(watched)).status === 200; // As /readyz says it, whatever that takes into account.
      return figures.print();
    },
  };
  try {
    const server = await serveHealth(address, { readiness: () => edgeReadiness(watched), metrics });
    const close = async (): Promise<void> => {
      lag.close();
      await server.close();
    };
    return { port: server.port, close };
  } catch (error) {
    lag.close();
    throw error;
  }
}
