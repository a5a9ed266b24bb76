// The developer's machine in the benchmark: one process in which agents' TLS ends, by whatever way they come. Behind it
// are the same gateway (`/mcp`, a small tools/call) and the same bare handler (`/bare`: bulk and events).
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { openAuditLog } from '../../../src/audit/openAuditLog.ts';
import type { Serve } from '../../../src/carriers/carrier.ts';
import { systemClock as clock } from '../../../src/core/clock.ts';
import { Gateway } from '../../../src/gateway/gateway.ts';
import { chainLocks } from '../../../src/helper/chainLocks.ts';
import { privateFiles as files } from '../../../src/helper/privateFiles.ts';
import { GrantStore } from '../../../src/identity/grants.ts';
import { Throttle } from '../../../src/identity/throttle.ts';
import { RateLimiter } from '../../../src/policy/limits.ts';
import { PolicyStore } from '../../../src/policy/policyStore.ts';
import { TrafficLog } from '../../../src/traffic/trafficLog.ts';
import { InnerTls } from '../../../src/tunnel/innerTls.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { serveBare } from './bare.ts';
import { openEdgeWay } from './edgeWay.ts';
import { keepPool } from './pool.ts';
import { selfSigned } from './selfSigned.ts';

/** What agents call the endpoint, whatever way they take. */
export const publicName = 'bench.bench.localhost';

export type EndpointWish = {
  home: string;
  /** An edge this machine is enrolled at, by its domain. */
  edge?: { domain: string; label: string; instance: string };
  /** A pool to fill, by its port. */
  poolPort?: number;
};

export type EndpointReady = { port: number; token: string };

const answer = Buffer.from(
  JSON.stringify({ jsonrpc: '2.0', id: 7, result: { content: [{ type: 'text', text: 'Echo: a sentence' }] } }),
);

const upstream: Upstream = {
  kind: 'http',
  check: async () => {},
  forward: async () => ({
    status: 200,
    headers: { 'content-type': 'application/json', 'content-length': String(answer.length) },
    body: Readable.from([answer], { objectMode: false }),
  }),
  onEvent: () => () => {},
  close: async () => {},
};

/** Runs until the process is ended. */
export async function runEndpoint({ home, edge, poolPort }: EndpointWish): Promise<EndpointReady> {
  const { gateway, token } = await makeGateway(join(home, 'endpoint'));
  const serve: Serve = (request, response, arrival) => {
    if (request.url?.startsWith('/bare')) serveBare(request as IncomingMessage, response as ServerResponse);
    else gateway.handle(request as IncomingMessage, response as ServerResponse, arrival);
  };
  const { keyPem, certificatePem } = await selfSigned();
  const context = createSecureContext({ key: keyPem, cert: certificatePem });
  const inner = new InnerTls({
    context: () => context,
    clock,
    onRequest: (request, response, visitor) =>
      serve(request, response, { carrier: 'bench', visitor, hostnames: [publicName] }),
  });
  const server = createServer({ noDelay: true }, (socket) => inner.accept(socket, `127.0.0.1:${socket.remotePort}`));
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, resolve));
  if (poolPort !== undefined) keepPool(poolPort, (stream) => inner.accept(stream, '127.0.0.1:1'));
  if (edge) await openEdgeWay({ ...edge, home, serve });
  return { port: (server.address() as AddressInfo).port, token };
}

async function makeGateway(folder: string): Promise<{ gateway: Gateway; token: string }> {
  const policyFile = join(folder, 'policy.json');
  const limits = { requestsPerMinute: 1_000_000, maxConcurrent: 4096 };
  await files.write(policyFile, JSON.stringify({ version: 1, limits }));
  const locations = { managed: '/nowhere', user: policyFile, workspaces: [] };
  const policy = new PolicyStore({ files, clock, locations });
  const grants = new GrantStore({ files, path: join(folder, 'grants.json'), clock, randomBytes });
  await Promise.all([policy.load(), grants.load()]);
  const keyFiles = { private: join(folder, 'key.pem'), public: join(folder, 'key.pub') };
  const auditFolder = join(folder, 'audit');
  const audit = await openAuditLog({ folder: auditFolder, keyFiles, files, locks: chainLocks, helper: 'bench', clock });
  const gateway = new Gateway({
    tunnel: 't',
    serverId: 's',
    clock,
    grants,
    policy,
    audit,
    upstream,
    throttle: new Throttle({ clock }),
    limiter: new RateLimiter({ clock }),
    traffic: new TrafficLog({ clock, secrets: () => [] }),
    log: () => {},
  });
  const { token } = await grants.add({ name: 'b', servers: ['s'], scope: {}, expiresMs: clock.now() + 86_400_000 });
  return { gateway, token };
}
