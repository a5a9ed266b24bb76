// Several nodes of one edge in this process, with real sockets between them, a real nats-server, and real connectors.
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Edge } from '../../src/edge/edge.ts';
import { Cluster } from '../../src/edge/cluster/cluster.ts';
import { openNatsBucket } from '../../src/edge/cluster/natsBucket.ts';
import { silentEdgeLog, type EdgeLog } from '../../src/edge/edgeLog.ts';
import { CountingClock } from '../support/leaks.ts';
import { MemoryFiles } from '../support/memoryFiles.ts';
import { domain } from '../support/relay.ts';

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
