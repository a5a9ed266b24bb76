// Nodes of one edge over a real registry: who may be a node, who gets a name, and whose word counts.
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { connectorUri } from '../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { nodeUri } from '../../src/certs/nodeId.ts';
import type { Serve } from '../../src/carriers/carrier.ts';
import { alpnsOf, knownFramings } from '../../src/wire/framings.ts';
import { callHttp1, type Target } from '../support/agents.ts';
import { anAuthority } from '../support/certs.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { enrolled, openTunnel } from '../support/relay.ts';
import { until } from '../support/until.ts';
import { NatsServer } from './natsServer.ts';
import { aNode, joinOnly, type Node } from './world.ts';

const local = await anAuthority({ commonName: 'Local CA' });
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const echo: Serve = (request, response, { visitor }) => {
  response.writeHead(200, { 'x-visitor': visitor });
  request.pipe(response as NodeJS.WritableStream);
};

async function threeNodes(): Promise<{ nats: NatsServer; nodes: [Node, Node, Node] }> {
  const nats = await NatsServer.start();
  const first = await aNode({ url: nats.url });
  const others = [await aNode({ url: nats.url, from: first }), await aNode({ url: nats.url, from: first })] as const;
  return { nats, nodes: [first, ...others] };
}

const at = (node: Node, hostname: string): Target => ({ hostname, port: node.edge.port, ca: local.certificatePem });
const tunnelOf = (node: Node) => ({
  edge: node.edge,
  state: node.cluster.state,
  clock: new CountingClock(),
  log: node.log,
  authority: local,
});

describe('three nodes', () => {
  it('take a visitor at any of them, with its address and every byte of its bodies', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const { nodes } = await threeNodes();
    const { hostname } = await openTunnel(tunnelOf(nodes[0]), echo, { links: 1 });
    for (const node of nodes) {
      await until(() => node === nodes[0] || node.cluster.routes().length === 1);
      const body = randomBytes(3_000_000);
      const answer = await callHttp1(at(node, hostname), { method: 'POST', body });
      expect(sha(answer.body)).toBe(sha(body));
      expect(answer.headers['x-visitor']).toMatch(/^127\.0\.0\.1:\d+$/);
    }
    expect(nodes.map(({ edge }) => edge.counters.handedOn)).toEqual([0, 1, 1]);
  });
});
void connect;
void connectorUri;
void makeKeyPair;
void nodeUri;
void alpnsOf;
void knownFramings;
void enrolled;
void joinOnly;
