// One node of an edge by itself: what it makes of visitors that it hands on, and of those that another one hands to it.
import { once } from 'node:events';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { Duplex, PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import type { ClusterHost, EdgeCluster } from '../../src/edge/edgeCluster.ts';
import { handedOn } from '../../src/edge/cluster/nodeDoor.ts';
import type { Admission } from '../../src/core/admission.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, domain, enrolled, openTunnel, type World } from '../support/relay.ts';
import { until } from '../support/until.ts';

const hello: Serve = (_request, response) => void (response as NodeJS.WritableStream).end('hello');
const hostname = `everything-x7k2.${domain}`;

type Alone = { cluster: EdgeCluster; host: () => ClusterHost; far: { connector: string | undefined } };

/** A node whose others are this test. `far` serves every name that it does not serve itself. */
function alone(): Alone {
  let host: ClusterHost | undefined;
  const far: Alone['far'] = { connector: undefined };
  const cluster: EdgeCluster = {
    sharing: {
      claim: async () => {},
      publish: async () => {},
      withdraw: () => {},
      onLost: () => () => {},
    },
    nodeDoor: `_node.${domain}`,
    nodes: () => [],
    attach: (given) => {
      host = given;
      const fresh = { take: () => true } as never;
      return {
        find: (name) =>
          far.connector === undefined
            ? undefined
            : { hostname: name, connector: far.connector, admission: undefined, fresh },
        open: async () => Object.assign(silent(), { rstCode: 0 }),
      };
    },
    acceptNode: (socket) => void socket.destroy(),
    announce: async () => ({ close: async () => {} }),
  };
  return { cluster, host: () => host!, far };
}

async function world(cluster: EdgeCluster): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld({ cluster }, clock);
}

/** Takes everything and says nothing. */
const silent = (): Duplex => new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });

/** A visitor as another node hands it on, and what it hears. */
function visitorFrom(host: ClusterHost, address: string, options: ConnectionOptions = {}) {
  const [here, there] = pair();
  const socket = connectTls({ socket: here, servername: hostname, rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  const end = handedOn(there);
  host.onVisitor(end, hostname, { host: address, port: 5000 });
  return { socket, end };
}

function pair(): [Duplex, Duplex] {
  const [one, other] = [new PassThrough(), new PassThrough()];
  const side = (readable: PassThrough, writable: PassThrough): Duplex => Duplex.from({ readable, writable });
  return [side(one, other).on('error', () => {}), side(other, one).on('error', () => {})];
}

it('a visitor that was handed on is cut off when the connector it came for is revoked, whatever its node knows', async () => {
  const { cluster, far } = alone();
  const here = await world(cluster);
  far.connector = (await enrolled(here.state, here.edge.port)).connector;
  const socket = connectTls({ port: here.edge.port, host: '127.0.0.1', servername: hostname });
  const over = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
  await until(() => here.edge.counters.handedOn === 1);
  await here.state.revokeConnector(far.connector);
  await over;
});

it('only a hello that asks for proof passes the addresses that a tunnel lets in, whatever the other node made of it', async () => {
  const { cluster, host } = alone();
  const here = await world(cluster);
  const identity = await enrolled(here.state, here.edge.port);
  await here.state.claimLabel('everything-x7k2', identity.connector);
  const admission: Admission = { networks: ['192.0.2.0/24'], challenges: true };
  await openTunnel(here, hello, { identity, links: 1, admission });

  const known = visitorFrom(host(), '192.0.2.7');
  await once(known.socket, 'secureConnect');
  const stranger = visitorFrom(host(), '198.51.100.7');
  await until(() => here.edge.counters.notAdmitted === 1);
  expect(stranger.end.destroyed).toBe(true);
  visitorFrom(host(), '198.51.100.7', { ALPNProtocols: ['acme-tls/1'] });
  await until(() => here.edge.counters.visitors === 2); // It is shown the proof, or nothing.
  expect(here.edge.counters.notAdmitted).toBe(1);
});
