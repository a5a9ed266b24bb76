// A connector with several links to an edge: real links over TLS, time, dialling and the edge's answers in our hands.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import type { RouteClaim } from '../../src/protocol/edge.ts';
import { Connector, type ConnectorState } from '../../src/tunnel/connector.ts';
import type { Place } from '../../src/tunnel/places.ts';
import { EdgeSession } from '../../src/wire/edgeSession.ts';
import { anAuthority } from './certs.ts';
import { FakeClock } from './fakeClock.ts';
import { until } from './until.ts';

async function makeCredentials(): Promise<{ key: string; cert: string; ca: string }> {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['localhost'], publicKey: key.publicKey, days: 1 });
  return { key: key.privateKeyPem, cert, ca: authority.certificatePem };
}

const made = makeCredentials();

export type EdgeEnd = { session: EdgeSession; claim?: RouteClaim; released: boolean; socket: TLSSocket };

export async function linkWorld({ random = (): number => 0.5, wanted = 4, nodes = [] as string[] } = {}) {
  const credentials = await made;
  const clock = new FakeClock();
  const ends: EdgeEnd[] = [];
  const server = createServer({ key: credentials.key, cert: credentials.cert });
  const edge = { claim: (_claim: RouteClaim, _end: EdgeEnd): void | Promise<void> => {} };
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {});
    const end: EdgeEnd = { session: new EdgeSession(socket, { clock }), released: false, socket };
    end.session.control.handle('route/claim', async (claim) => {
      await edge.claim(claim, end);
      end.claim = claim;
      return { hostname: 'a.edge.test', port: 443, nodes };
    });
    end.session.control.handle('route/release', () => {
      end.released = true;
      return null;
    });
    end.session.control.start();
    ends.push(end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const dials: { place: Place; atMs: number }[] = [];
  const network = { changed: (_what: string): void => {}, dial: async (_place: Place): Promise<void> => {} };
  const connector = new Connector({
    label: 'a',
    instance: 'instance-1',
    wanted,
    dial: async (signal, place) => {
      dials.push({ place, atMs: clock.now() });
      await Promise.race([network.dial(place), once(signal, 'abort').then(() => signal.throwIfAborted())]);
      const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: credentials.ca });
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      await once(socket, 'secureConnect', { signal });
      return socket;
    },
    onStream: (stream) => void stream.resume().once('end', () => stream.end()),
    onNetworkChange: (listener) => {
      network.changed = listener;
      return () => (network.changed = () => {});
    },
    clock,
    random,
    log: () => {},
  });
  /** After the start. */
  const states: ConnectorState['kind'][] = [];
  onTestFinished(async () => {
    await connector.close();
    await Promise.all(ends.map(({ session }) => session.close()));
    server.close();
    expect(clock.pending).toBe(0);
  });
  const alive = (): EdgeEnd[] => ends.filter(({ session }) => !session.closed);
  return {
    clock,
    connector,
    dials,
    ends,
    alive,
    edge,
    network,
    states,
    start: async () => {
      await connector.start(new AbortController().signal);
      connector.onState(({ kind }) => void states.push(kind));
    },
    /** Time in which nothing should happen, with pings answered on the way. */
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 5000) {
        clock.advance(Math.min(left, 5000));
        for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      }
    },
    full: () => until(() => connector.links.up === wanted),
    /** Lets time pass until `done`, a little at a time. */
    wait: async (done: () => boolean, stepMs = 50) => {
      await until(() => {
        if (!done()) clock.advance(stepMs);
        return done();
      });
    },
  };
}
