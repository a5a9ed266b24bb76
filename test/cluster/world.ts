// Several nodes of one edge in this process, with real sockets between them, a real nats-server, and real connectors.
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { OpenCarrier, Serve } from '../../src/carriers/carrier.ts';
import { Edge } from '../../src/edge/edge.ts';
import { Cluster } from '../../src/edge/cluster/cluster.ts';
import { openNatsBucket } from '../../src/edge/cluster/natsBucket.ts';
import { silentEdgeLog, type EdgeLog } from '../../src/edge/edgeLog.ts';
import type { EdgeIdentity } from '../../src/tunnel/edgeIdentity.ts';
import { callHttp1, type Target } from '../support/agents.ts';
import { anAuthority } from '../support/certs.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { MemoryFiles } from '../support/memoryFiles.ts';
import { domain, enrolled, openTunnel, type Opening } from '../support/relay.ts';
import { until } from '../support/until.ts';
import { NatsServer } from './natsServer.ts';

export type Node = { cluster: Cluster; edge: Edge; files: MemoryFiles; log: string[]; close: () => Promise<void> };

export type NodeOptions = {
  url: string;
  from?: Node;
  files?: MemoryFiles;
  clock?: CountingClock;
  credentials?: string;
};

/** Joins without serving anything; ends with the test. */
export async function joinOnly(
  { url, from, files = new MemoryFiles(), clock = new CountingClock(), credentials }: NodeOptions,
  log: EdgeLog = silentEdgeLog,
): Promise<Cluster> {
  for (const name of ['authority.pem', 'server-key.pem']) {
    const text = from?.files.texts.get(join('/edge', name));
    if (text !== undefined) files.texts.set(join('/edge', name), text);
  }
  const here = { host: '127.0.0.1', port: 0 };
  const cluster = await Cluster.join({
    openBucket: openNatsBucket,
    registry: { servers: [url], ...(credentials === undefined ? {} : { credentials }) },
    files,
    folder: '/edge',
    domain,
    address: here,
    publicAddress: here,
    clock,
    random: Math.random,
    log,
  });
  onTestFinished(() => cluster.close());
  return cluster;
}

/** One more node; the first of a registry makes the CA, the others have it from one of them. */
export async function aNode(options: NodeOptions): Promise<Node> {
  const log: string[] = [];
  const say = (event: string, message: string): void => void log.push(`${event}: ${message}`);
  const edgeLog: EdgeLog = { debug: say, info: say, warn: say, error: say };
  const files = options.files ?? new MemoryFiles();
  const clock = options.clock ?? new CountingClock();
  const cluster = await joinOnly({ ...options, files, clock }, edgeLog);
  const edge = await Edge.start({
    state: cluster.state,
    cluster,
    domain,
    listen: { host: '127.0.0.1', port: 0 },
    clock,
    log: edgeLog,
  });
  const close = async (): Promise<void> => {
    await edge.close();
    await cluster.close();
  };
  onTestFinished(close);
  return { cluster, edge, files, log, close };
}

const local = await anAuthority({ commonName: 'Local CA' });
export const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Answers with what it got, and says who it is. */
export const echo =
  (who: string): Serve =>
  (request, response, { visitor }) => {
    response.writeHead(200, { 'x-visitor': visitor, 'x-who': who });
    request.pipe(response as NodeJS.WritableStream);
  };

export type Three = { nats: NatsServer; a: Node; b: Node; c: Node; all: readonly Node[] };

export async function threeNodes(): Promise<Three> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const nats = await NatsServer.start();
  const a = await aNode({ url: nats.url, clock });
  const b = await aNode({ url: nats.url, clock, from: a });
  const c = await aNode({ url: nats.url, clock, from: a });
  const all = [a, b, c];
  await until(() => all.every(({ cluster }) => cluster.nodes().length === 2));
  return { nats, a, b, c, all };
}

export const at = (node: Node, hostname: string): Target => ({
  hostname,
  port: node.edge.port,
  ca: local.certificatePem,
});

export function tunnelAt(node: Node, serve: Serve, opening: Opening = {}): Promise<OpenCarrier> {
  const world = { edge: node.edge, state: node.cluster.state, clock: new CountingClock(), log: node.log };
  return openTunnel({ ...world, authority: local }, serve, { links: 1, ...opening });
}

export const machineAt = (node: Node): Promise<EdgeIdentity> => enrolled(node.cluster.state, node.edge.port);

export async function answeredAt(node: Node, hostname: string): Promise<string> {
  const body = randomBytes(200_000);
  const answer = await callHttp1(at(node, hostname), { method: 'POST', body });
  expect(sha(answer.body)).toBe(sha(body));
  return String(answer.headers['x-who']);
}

export const knows = (node: Node): boolean => node.cluster.routes().length > 0 || node.edge.routes().length > 0;

/** A figure, for whoever reads the run. */
export const tell = (figure: string): void => void process.stdout.write(`cluster: ${figure}\n`);
