// Several links of one tunnel: when they are opened, replaced and given up. Real links over TLS, time and dialling in our
// hands.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import {
  Connector,
  furtherBaseMs,
  limitPauseMs,
  maxLeavingPerLink,
  probeMs,
  replaceMs,
  type ConnectorState,
} from '../../../src/tunnel/connector.ts';
import { claimMs } from '../../../src/tunnel/link.ts';
import type { Place } from '../../../src/tunnel/places.ts';
import type { RouteClaim } from '../../../src/protocol/edge.ts';
import { EdgeSession } from '../../../src/wire/edgeSession.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { until } from '../../support/until.ts';

let credentials: { key: string; cert: string; ca: string };
beforeAll(async () => {
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: ['localhost'], publicKey: key.publicKey, days: 1 });
  credentials = { key: key.privateKeyPem, cert, ca: authority.certificatePem };
});

type EdgeEnd = { session: EdgeSession; claim?: RouteClaim; released: boolean; socket: TLSSocket };

async function world({ random = (): number => 0.5, wanted = 4, nodes = [] as string[] } = {}) {
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

describe('four links', () => {
  it('the first is up when start returns; the others follow without a wait, all of one run', async () => {
    const { start, full, connector, ends, dials, states, clock } = await world();
    await start();
    expect(connector.links.up).toBe(1);
    await full();
    expect(dials.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 4 }, () => clock.now()));
    expect(new Set(ends.map(({ claim }) => claim?.run)).size).toBe(1);
    expect(states).toEqual([]);
  });

  it('one that is lost is opened again while the tunnel stays connected', async () => {
    const { start, full, wait, connector, ends, states, clock, dials } = await world();
    await start();
    await full();
    await ends[1]?.session.close();
    await until(() => connector.links.up === 3);
    const lostMs = clock.now();
    await wait(() => connector.links.up === 4);
    expect((dials.at(-1)?.atMs ?? 0) - lostMs).toBeLessThanOrEqual(furtherBaseMs);
    expect(states).toEqual([]);
    expect(new Set(ends.map(({ claim }) => claim?.link)).size).toBe(5);
    expect(ends.map(({ claim }) => claim?.gone)).toEqual([...Array(4).fill(undefined), [ends[1]?.claim?.link]]);
    expect(new Set(ends.map(({ claim }) => claim?.run)).size).toBe(1);
  });

  it('after the loss of all, one comes back alone, as a new run, and then the others, each after a wait', async () => {
    const { start, full, wait, connector, ends, dials, states, alive } = await world();
    await start();
    await full();
    await Promise.all(ends.map(({ session }) => session.close()));
    await until(() => states.at(-1) === 'waiting');
    await wait(() => connector.links.up === 1);
    expect(dials).toHaveLength(5);
    await wait(() => connector.links.up === 4);
    const times = dials.slice(4).map(({ atMs }) => atMs);
    for (const [place, atMs] of times.entries())
      if (place > 0) expect(atMs - (times[place - 1] ?? 0)).toBeGreaterThan(1000);
    expect(states).toEqual(['waiting', 'connecting', 'connected']);
    const runs = ends.map(({ claim }) => claim?.run);
    expect(new Set(runs.slice(0, 4))).not.toContain(runs[4]);
    expect(new Set(alive().map(({ claim }) => claim?.run)).size).toBe(1);
  });

  it('a restarted edge meets one dial of each tunnel first, and those spread by chance', async () => {
    const worlds = await Promise.all(
      Array.from({ length: 8 }, (_, index) => world({ random: () => (index + 0.5) / 8, wanted: 2 })),
    );
    for (const { start, full } of worlds) {
      await start();
      await full();
    }
    const waits: number[] = [];
    for (const { ends, states, clock, connector, dials, wait } of worlds) {
      await Promise.all(ends.map(({ session }) => session.close()));
      await until(() => states.at(-1) === 'waiting');
      const lostMs = clock.now();
      await wait(() => connector.links.up === 1, 10);
      expect(dials).toHaveLength(3);
      waits.push((dials[2]?.atMs ?? 0) - lostMs);
    }
    expect(new Set(waits).size).toBe(8);
  });

  it('at the edge’s bound of links the tunnel goes on with fewer, and asks again later', async () => {
    const { start, wait, pass, connector, edge, states, dials, clock } = await world();
    let claims = 0;
    edge.claim = () => {
      claims += 1;
      if (claims > 2) throw new TunnelError('LIMIT', 'this machine holds too many links');
    };
    await start();
    await until(() => dials.length === 3 && clock.pending > 0 && connector.links.up === 2);
    await pass(limitPauseMs - 1000);
    expect(dials).toHaveLength(3);
    edge.claim = () => {};
    await wait(() => connector.links.up === 4, 1000);
    expect(states).toEqual([]);
  });

  it('a refusal of a further link is no verdict on the tunnel', async () => {
    const { start, connector, network, dials, wait } = await world();
    network.dial = async () => {
      if (dials.length > 1) throw new TunnelError('DESTINATION_DENIED', 'not any more');
    };
    await start();
    await wait(() => dials.length >= 4, 1000);
    expect(connector.state.kind).toBe('connected');
    expect(connector.links.up).toBe(1);
  });

  it('a dial that hangs gives way when the last link is lost', async () => {
    const { start, connector, network, dials, ends, wait } = await world({ wanted: 2 });
    network.dial = async () => {
      if (dials.length === 2) await new Promise(() => {});
    };
    await start();
    await until(() => dials.length === 2);
    await ends[0]?.session.close();
    await until(() => connector.state.kind === 'waiting');
    await wait(() => connector.state.kind === 'connected');
  });

  it('a name that a newer run took ends the tunnel, and all its links', async () => {
    const { start, full, connector, ends, alive, dials } = await world();
    await start();
    await full();
    ends[2]?.session.control.notify('route/lost', {
      label: 'a',
      error: { code: 'ROUTE_BUSY', message: 'taken over', retryable: false },
    });
    await until(() => connector.state.kind === 'failed' && alive().length === 0);
    expect(dials).toHaveLength(4);
  });

  it('go to two of the nodes that the edge has named, and a node has no say in whether there is a tunnel', async () => {
    const { start, full, connector, dials, network, ends, wait } = await world({
      nodes: ['n1.edge.test:1', 'n2.edge.test'],
    });
    await start();
    await full();
    expect(dials.map(({ place }) => place?.host)).toEqual([undefined, 'n2.edge.test', undefined, 'n2.edge.test']);
    network.dial = async (place) => {
      if (place) throw new TunnelError('CERTIFICATE_INVALID', 'says the node');
      if (dials.length < 8) throw new TunnelError('EDGE_UNREACHABLE', 'away');
    };
    await Promise.all(ends.map(({ session }) => session.close()));
    await wait(() => connector.links.up > 0, 500);
    expect(connector.state.kind).toBe('connected');
    expect(new Set(dials.slice(4, 7).map(({ place }) => place?.host)).size).toBe(3);
  });
});

describe('an edge that drains', () => {
  it('gets its links replaced first; then they are given up, and end when their visitors are done', async () => {
    const { start, full, wait, connector, ends, alive, states, clock } = await world({ wanted: 2 });
    await start();
    await full();
    const visitor = ends[0]?.session.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:1' });
    visitor?.resume();
    await until(() => clock.pending > 0);
    for (const { session } of ends) session.control.notify('drain', { reason: 'update', withinMs: 60_000 });
    await until(() => connector.links.up === 0);
    expect(alive()).toHaveLength(2);
    expect(connector.state.kind).toBe('connected');
    const drainedMs = clock.now();
    await wait(() => connector.links.up === 2, 20);
    expect(clock.now() - drainedMs).toBeLessThanOrEqual(3 * replaceMs);
    await wait(() => ends[1]?.session.closed === true);
    expect(ends.slice(0, 2).map(({ released }) => released)).toEqual([true, true]);
    expect(ends[0]?.session.closed).toBe(false); // Its visitor is still there.
    visitor?.end();
    await wait(() => ends[0]?.session.closed === true);
    expect(clock.now() - drainedMs).toBeLessThan(30_000);
    expect(states).toEqual([]);
  });

  it('is met ever more seldom where it ends each new link as well, and few of those are kept', async () => {
    const { start, pass, ends, alive, edge, dials } = await world({ wanted: 2 });
    await start();
    edge.claim = async (_claim, end) => {
      setImmediate(() => {
        end.session.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:1' }).resume();
        end.session.control.notify('drain', { reason: 'again', withinMs: 600_000 });
      });
    };
    ends[0]?.session.control.notify('drain', { reason: 'first', withinMs: 600_000 });
    await pass(500_000);
    expect(alive().length).toBeLessThanOrEqual(2 * (maxLeavingPerLink + 1));
    expect(dials.length).toBeLessThan(40);
  });

  it('keeps nobody longer than it said, whatever it says', async () => {
    const { start, full, wait, connector, ends } = await world({ wanted: 2 });
    await start();
    await full();
    ends[0]?.session.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:1' }).resume();
    ends[0]?.session.control.notify('drain', { reason: 'now', withinMs: 5000 });
    ends[1]?.session.control.notify('drain', { reason: 'x', withinMs: Number.NaN });
    await wait(() => connector.links.up === 2 && ends.slice(0, 2).every(({ session }) => session.closed));
  });
});

describe('who may come in', () => {
  const networks = { networks: ['192.0.2.0/24'] };

  it('is told over a link that was being opened meanwhile, or the link does not stay', async () => {
    const { start, connector, ends, edge, wait } = await world({ wanted: 2 });
    let goOn = (): void => {};
    edge.claim = (_claim, end) => {
      if (end === ends[0]) return undefined;
      return new Promise((resolve) => (goOn = resolve));
    };
    await start();
    await until(() => ends.length === 2);
    await connector.letIn(networks);
    expect(ends[0]?.claim?.admission).toEqual(networks);
    edge.claim = (claim, end) => {
      if (end === ends[1] && claim.admission) throw new TunnelError('LIMIT', 'no');
    };
    goOn();
    await until(() => ends[1]?.session.closed === true);
    edge.claim = () => undefined;
    await wait(() => connector.links.up === 2, 10_000);
    expect(ends.filter(({ session }) => !session.closed).map(({ claim }) => claim?.admission)).toEqual([
      networks,
      networks,
    ]);
  });

  it('an edge that never answers holds up neither the change nor the end', async () => {
    const { start, connector, ends, edge, clock } = await world({ wanted: 2 });
    let goOn = (): void => {};
    edge.claim = (_claim, end) => (end === ends[0] ? undefined : new Promise((resolve) => (goOn = resolve)));
    await start();
    await until(() => ends.length === 2);
    edge.claim = () => new Promise(() => {});
    const changed = connector.letIn(networks);
    await until(() => clock.pending > 0);
    clock.advance(claimMs);
    await changed;
    await until(() => ends[0]?.session.closed === true);
    goOn(); // The second is up, and is told, and the edge says nothing again.
    await connector.close();
  });

  it('a link over which the edge answers neither yes nor no is opened anew', async () => {
    const { start, connector, ends, edge, wait } = await world({ wanted: 1 });
    await start();
    edge.claim = () => {
      throw new TunnelError('INTERNAL', 'something');
    };
    await connector.letIn(networks);
    await until(() => ends[0]?.session.closed === true);
    edge.claim = () => undefined;
    await wait(() => connector.links.up === 1, 1000);
    expect(ends.at(-1)?.claim?.admission).toEqual(networks);
  });

  it('two changes at once are made one after the other: a refusal does not undo the other one', async () => {
    const { start, connector, ends, edge } = await world({ wanted: 1 });
    edge.claim = ({ admission }) => {
      if (admission?.asns) throw new TunnelError('USAGE', 'not here');
    };
    await start();
    const both = await Promise.allSettled([connector.letIn({ asns: [64500] }), connector.letIn(networks)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(ends[0]?.claim?.admission).toEqual(networks);
  });
});

describe('another network, or a machine that woke up', () => {
  it('a link without a sign of life is given up soon, and dialled again without a wait', async () => {
    const { start, connector, ends, network, clock, dials, states } = await world({ wanted: 1, random: () => 0.99 });
    await start();
    ends[0]?.socket.pause();
    const pending = clock.pending;
    network.changed('this machine was away');
    expect(clock.pending).toBe(pending + 1);
    clock.advance(probeMs);
    await until(() => states.includes('waiting'));
    clock.advance(0);
    await until(() => connector.state.kind === 'connected' && dials.length === 2);
  });

  it('links that answer stay', async () => {
    const { start, full, connector, network, clock, dials } = await world();
    await start();
    await full();
    const pending = clock.pending;
    network.changed('other addresses');
    await until(() => clock.pending === pending); // All have answered.
    clock.advance(probeMs);
    expect(connector.links.up).toBe(4);
    expect(dials).toHaveLength(4);
  });

  it('what waits is dialled at once, and a dial over the old network is begun anew', async () => {
    const { start, connector, ends, network, dials, states, wait } = await world({ wanted: 1, random: () => 0.99 });
    await start();
    let hangs = true;
    network.dial = () => (hangs ? new Promise(() => {}) : Promise.resolve());
    await ends[0]?.session.close();
    await until(() => states.at(-1) === 'waiting');
    network.changed('other addresses');
    await until(() => dials.length === 2);
    hangs = false;
    network.changed('other addresses');
    await wait(() => connector.state.kind === 'connected', 0);
    expect(dials).toHaveLength(3);
  });
});
