// Who may be a node of an edge, and who may not: by certificate to the other nodes, by its CA to the registry.
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Authority } from '../../src/certs/authority.ts';
import { connectorUri } from '../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { nodeUri } from '../../src/certs/nodeId.ts';
import { systemClock } from '../../src/core/clock.ts';
import { dialNode, NodeIdentity } from '../../src/edge/cluster/nodeIdentity.ts';
import { openNatsBucket } from '../../src/edge/cluster/natsBucket.ts';
import { alpnsOf, knownFramings, openEdgeLink } from '../../src/wire/framings.ts';
import { anAuthority } from '../support/certs.ts';
import { MemoryFiles } from '../support/memoryFiles.ts';
import { domain } from '../support/relay.ts';
import { until } from '../support/until.ts';
import { NatsServer } from './natsServer.ts';
import { aNode, answeredAt, echo, joinOnly, knows, machineAt, threeNodes, tunnelAt, type Node } from './world.ts';

const key = await makeKeyPair();
const id = 'abcdef0123456789abcdef01';
const door = `_node.${domain}`;

type Shown = { key: string; cert: string } | undefined;
const asNode = (authority: Authority): Shown => {
  return { key: key.privateKeyPem, cert: authority.issueNode({ uri: nodeUri(id), publicKey: key.publicKey, days: 1 }) };
};
const asConnector = (authority: Authority, connector = id): Shown => {
  const uri = connectorUri(connector);
  return { key: key.privateKeyPem, cert: authority.issueClient({ uri, publicKey: key.publicKey, days: 1 }) };
};

/** Whether whoever listens keeps a connection that shows this: with TLS 1.3 a client hears of a refusal only afterwards. */
async function isLetIn(node: Node, servername: string, shown: Shown): Promise<boolean> {
  const socket = connect({
    host: '127.0.0.1',
    port: node.edge.port,
    servername,
    ALPNProtocols: alpnsOf(knownFramings),
    rejectUnauthorized: false,
    ...shown,
  });
  socket.on('error', () => {});
  const ended = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)));
  const spoken = speaks(socket);
  const answer = await Promise.race([ended, spoken]);
  socket.destroy();
  return answer;
}

/** A link that stands answers: the other end opens or takes its control stream. */
async function speaks(socket: TLSSocket): Promise<boolean> {
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  const link = openEdgeLink(socket, { clock: systemClock });
  link.control.start();
  const stream = link.openStream({ hostname: `nobody.${domain}`, visitor: '192.0.2.1:1' });
  stream.on('error', () => {});
  stream.resume();
  stream.write('x');
  // A door that takes visitors closes this one, for a name that nobody serves; the link itself goes on.
  await new Promise((resolve) => stream.once('close', resolve));
  return !link.closed;
}

describe('the door of nodes', () => {
  it('lets a node in, whose visitors reach what is served there', async () => {
    const { a } = await threeNodes();
    expect(await isLetIn(a, door, asNode(a.cluster.state.authority))).toBe(true);
  });

  it('refuses a connector, though its certificate is of the same CA', async () => {
    const { a } = await threeNodes();
    const machine = await machineAt(a);
    expect(await isLetIn(a, door, asConnector(a.cluster.state.authority, machine.connector))).toBe(false);
    await until(() => a.log.some((line) => line.startsWith('node-refused')));
  });

  it('refuses a node of another CA, and somebody without a certificate', async () => {
    const { a } = await threeNodes();
    expect(await isLetIn(a, door, asNode(await anAuthority({ commonName: 'Another edge' })))).toBe(false);
    expect(await isLetIn(a, door, undefined)).toBe(false);
  });

  it('hands nobody on to a third node: what is served elsewhere is nobody’s there', async () => {
    const { a, b } = await threeNodes();
    const { hostname } = await tunnelAt(a, echo('one'));
    await until(() => knows(b));
    const identity = await NodeIdentity.make({ id, authority: a.cluster.state.authority, clock: systemClock });
    const to = { id: b.cluster.id, door, identity, clock: systemClock };
    const socket = await dialNode({ host: '127.0.0.1', port: b.edge.port }, to);
    const link = openEdgeLink(socket, { clock: systemClock });
    link.control.start();
    const stream = link.openStream({ hostname, visitor: '192.0.2.1:1' });
    stream.on('error', () => {});
    stream.write('hello');
    const bytes: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => bytes.push(chunk));
    await once(stream, 'close');
    await link.close();
    expect(Buffer.concat(bytes)).toHaveLength(0);
    expect(b.edge.counters).toMatchObject({ noRoute: 1, handedOn: 0 });
    expect(a.edge.counters.visitors).toBe(0); // It never heard of it.
    expect(await answeredAt(b, hostname)).toBe('one'); // A visitor of its own it does hand on.
  });
});

describe('the door of connectors', () => {
  it('refuses a node, though its certificate is of the same CA', async () => {
    const { a } = await threeNodes();
    expect(await isLetIn(a, `connect.${domain}`, asNode(a.cluster.state.authority))).toBe(false);
    expect(a.edge.counters.connectorsRefused).toBe(1);
  });
});

describe('dialling another node', () => {
  it('takes nobody else for it: another node, the connectors’ door, another CA', async () => {
    const { a, b } = await threeNodes();
    const { authority } = a.cluster.state;
    const identity = await NodeIdentity.make({ id, authority, clock: systemClock });
    const dial = (node: string, at: Node, name = door, own = identity) =>
      dialNode({ host: '127.0.0.1', port: at.edge.port }, { id: node, door: name, identity: own, clock: systemClock });
    await expect(dial(a.cluster.id, b)).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    await expect(dial(a.cluster.id, a, `connect.${domain}`)).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    const foreign = await anAuthority({ commonName: 'Another edge' });
    const stranger = await NodeIdentity.make({ id, authority: foreign, clock: systemClock });
    await expect(dial(a.cluster.id, a, door, stranger)).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0'); // Of whoever set it: it must not open this door.
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(dial(a.cluster.id, a, door, stranger)).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
  });
});

describe('the registry of an edge', () => {
  it('is not used by a node with another certificate authority, nor by one without any', async () => {
    const nats = await NatsServer.start();
    await aNode({ url: nats.url });
    const files = new MemoryFiles();
    await expect(joinOnly({ url: nats.url, files })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('copy authority.pem and server-key.pem'),
    });
    expect([...files.texts.keys()]).toEqual([]); // No CA was made that would be in the way of the right one.

    const other = await NatsServer.start();
    const foreign = await aNode({ url: other.url });
    await expect(joinOnly({ url: nats.url, from: foreign })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('asks for credentials, which come from a file', async () => {
    const nats = await NatsServer.start(['--user', 'edge', '--pass', 'open sesame']);
    await expect(joinOnly({ url: nats.url })).rejects.toMatchObject({ code: 'TIMEOUT' });
    const wrong = joinOnly({ url: nats.url, credentials: 'edge:sesame' });
    await expect(wrong).rejects.toMatchObject({ message: expect.not.stringContaining('sesame') });
    expect((await joinOnly({ url: nats.url, credentials: 'edge:open sesame\n' })).problem).toBeUndefined();
  });

  it('may hold anything: what is no record of ours, or under another’s key, is ignored and told', async () => {
    const { nats, a, b } = await threeNodes();
    const bucket = await openNatsBucket({
      servers: [nats.url],
      bucket: 'MCP_TUNNEL_edge_test',
      meta: async () => '{}',
      onSnapshot() {},
      onChange() {},
      onLost() {},
    });
    const other = { id, labels: ['*'], enrolledMs: 1, expiresMs: 9e15 };
    for (const [name, text] of [
      ['connector.fedcba9876543210', JSON.stringify(other)],
      ['connector.x', '{'],
      ['node.zzz', 'null'],
      [`route.everything.${id}`, '{"label":"another"}'],
      ['claim.connect', JSON.stringify({ label: 'connect', connector: id, claimedMs: 1, usedMs: 9e15 })],
      ['nothing.of.ours', '\u0000'],
    ] as const) {
      await bucket.write(name, text);
    }
    await bucket.write(`connector.${id}`, JSON.stringify(other)); // What may write there may enrol: this one is whole.
    await bucket.close();
    await until(() => a.cluster.state.connectors().length === 1);
    expect(a.log.filter((line) => line.startsWith('registry-record-ignored')).length).toBeGreaterThanOrEqual(4);
    expect(a.cluster.state.isRevoked('fedcba9876543210')).toBe(true);
    const { hostname } = await tunnelAt(a, echo('one'));
    await until(() => knows(b));
    expect(await answeredAt(b, hostname)).toBe('one');
  });
});
