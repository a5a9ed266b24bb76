// `--health HOST:PORT`: two small pages for a supervisor, on loopback only. Alive is that the process answers; ready
// is that an agent was answered through the public name, never that a socket is up.
import { createServer, type Server } from 'node:http';
import { isIP } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { systemCode, TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import type { TunnelInfo } from '../protocol/control.ts';

export type Health = { status: number; body: object };

/** What `/readyz` says of a tunnel. */
export function readiness(tunnel: TunnelInfo | undefined, nowMs: number): Health {
  const state = tunnel?.state.kind ?? 'starting';
  const lastExchangeAgeMs = tunnel?.lastExchangeMs === undefined ? null : nowMs - tunnel.lastExchangeMs;
  const ready = state === 'connected' && lastExchangeAgeMs !== null;
  return { status: ready ? 200 : 503, body: { ready, state, lastExchangeAgeMs } };
}

/** Throws `USAGE` for an address that is not loopback, `PORT_IN_USE`. */
export async function serveHealth(
  address: HostPort,
  tunnel: () => TunnelInfo | undefined,
  clock: Clock,
): Promise<{ port: number; close(): Promise<void> }> {
  if (!isLoopback(address.host)) {
    throw new TunnelError(
      'USAGE',
      `--health listens on this machine only, and ${address.host} is not a loopback address: write for example 127.0.0.1:9000`,
    );
  }
  const server = createServer((request, response) => {
    const { status, body } = answer(request.method, request.url, tunnel, clock);
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(`${JSON.stringify(body)}\n`);
  });
  await listen(server, address);
  const { port } = server.address() as { port: number };
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port, close };
}

function answer(
  method: string | undefined,
  url: string | undefined,
  tunnel: () => TunnelInfo | undefined,
  clock: Clock,
): Health {
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: { error: 'use GET' } };
  if (url === '/healthz') return { status: 200, body: { alive: true } };
  if (url === '/readyz') return readiness(tunnel(), clock.now());
  return { status: 404, body: { error: 'there are /healthz and /readyz' } };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function listen(server: Server, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const place = formatHostPort({ host, port });
      const message =
        systemCode(cause) === 'EADDRINUSE'
          ? `${place} is in use by another program; choose another --health port`
          : `--health cannot listen on ${place} (${systemCode(cause) ?? 'unknown error'})`;
      reject(new TunnelError('PORT_IN_USE', message, { cause }));
    });
    server.listen(port, host, () => resolve());
  });
}
