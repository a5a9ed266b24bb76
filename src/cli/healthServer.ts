// `--health HOST:PORT`: three pages for a supervisor and a scraper, on loopback only, which tell states and figures and
// nothing else. A page in a browser on this machine must not read them, so they answer to no name but localhost.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { errorInfo, systemCode, TunnelError } from '../core/errors.ts';
import { formatHostPort, type HostPort } from '../core/hostname.ts';
import type { Metrics } from '../edge/edgeMetrics.ts';
import { EventLoopLag } from '../edge/processMetrics.ts';

export type Health = { status: number; body: object };

export type HealthPages = {
  /** `/readyz`. */
  readiness: () => Health | Promise<Health>;
  /** `/metrics`. */
  metrics: Pick<Metrics, 'contentType' | 'print'>;
};

/** Connections at a time; more are closed. */
const maxConnections = 64;
/** How long one may take to ask. */
const requestMs = 5000;

/** Throws `USAGE` for an address that is not loopback, `PORT_IN_USE`. */
export async function serveHealth(
  address: HostPort,
  pages: HealthPages,
): Promise<{ port: number; close(): Promise<void> }> {
  checkLoopback(address);
  const lag = new EventLoopLag();
  const server = createServer(
    { requestTimeout: requestMs, headersTimeout: requestMs, maxHeaderSize: 8192 },
    (request, response) => {
      answer(request, pages, lag).then(
        ({ status, type, text }) => send(request, response, status, type, text),
        (error: unknown) => send(request, response, 500, 'text/plain; charset=utf-8', `${errorInfo(error).message}\n`),
      );
    },
  );
  server.maxConnections = maxConnections;
  try {
    await listen(server, address);
  } catch (error) {
    lag.close();
    throw error;
  }
  const { port } = server.address() as { port: number };
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      lag.close();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port, close };
}

/** Throws `USAGE`. */
export function checkLoopback({ host }: HostPort): void {
  if (host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))) return;
  throw new TunnelError(
    'USAGE',
    `--health listens on this machine only, and ${host} is not a loopback address: write for example 127.0.0.1:9000`,
  );
}

type Page = { status: number; type: string; text: string };

async function answer(
  { method, url = '', headers }: IncomingMessage,
  { readiness, metrics }: HealthPages,
  lag: EventLoopLag,
): Promise<Page> {
  if (!namesThisMachine(headers.host)) return json({ status: 421, body: { error: 'ask by address, or as localhost' } });
  if (method !== 'GET' && method !== 'HEAD') return json({ status: 405, body: { error: 'use GET' } });
  const path = url.split('?', 1)[0];
  if (path === '/healthz') return json({ status: 200, body: { alive: true, eventLoopLagMs: lag.take() } });
  if (path === '/readyz') return json(await readiness());
  if (path === '/metrics') return { status: 200, type: metrics.contentType, text: await metrics.print() };
  return json({ status: 404, body: { error: 'there are /healthz, /readyz and /metrics' } });
}

function json({ status, body }: Health): Page {
  return { status, type: 'application/json', text: `${JSON.stringify(body)}\n` };
}

/** Any other name may have been made to lead here by a page in a browser (DNS rebinding). */
function namesThisMachine(host: string | undefined): boolean {
  if (host === undefined) return true; // HTTP/1.0, which no browser speaks.
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}

function send(request: IncomingMessage, response: ServerResponse, status: number, type: string, text: string): void {
  if (response.destroyed) return;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : text);
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
