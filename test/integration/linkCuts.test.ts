// Four links under one tunnel, under load: what a cut touches and what it does not, and an edge that stops in order.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import type { EdgeCluster } from '../../src/edge/edgeCluster.ts';
import { callHttp1, callHttp2, collect, connectAgent2, openHttp1, type Target } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, enrolled, openTunnel, startEdge, type World } from '../support/relay.ts';
import { recordingLog } from '../support/edgeLogs.ts';
import { Tap } from '../support/tap.ts';
import { until } from '../support/until.ts';

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function world(): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld({ limits: { visitorsPerSecond: 1e6, visitorBurst: 1e6 } }, clock);
}

const targetOf = ({ edge, authority }: World, hostname: string): Target => {
  return { hostname, port: edge.port, ca: authority.certificatePem };
};

const body = randomBytes(300_000);
/** Answers `/held` with a part, and holds the rest until `release`. */
function slowly(): { serve: Serve; release: () => void } {
  const waiting: (() => void)[] = [];
  return {
    serve: (request, response) => {
      const out = response as NodeJS.WritableStream;
      request.resume();
      if (request.url !== '/held') return void out.end(body);
      response.writeHead(200, { 'content-length': body.length });
      out.write(body.subarray(0, 1000));
      waiting.push(() => out.end(body.subarray(1000)));
    },
    release: () => {
      for (const go of waiting.splice(0)) go();
    },
  };
}

describe('one of four links is cut', () => {
  it('its visitors fail at once and alone, new ones are answered, and the link comes back', async () => {
    const here = await world();
    const tap = await Tap.to(here.edge.port);
    onTestFinished(() => tap.close());
    const { serve, release } = slowly();
    const open = await openTunnel(here, serve, { identity: await enrolled(here.state, tap.port), random: () => 0.01 });
    const states: string[] = [];
    open.onState(({ kind }) => states.push(kind));
    await until(() => open.links?.up === 4);
    const target = targetOf(here, open.hostname);

    // Visitors spread evenly: four of sixteen on each link.
    const held = await Promise.all(Array.from({ length: 16 }, () => openHttp1(target, { path: '/held' })));
    const bodies = held.map(async (response) => collect(response).then(sha, () => 'cut'));
    tap.cutOne();
    let cut = 0;
    for (const ended of bodies) void ended.then((how) => (cut += how === 'cut' ? 1 : 0));
    await until(() => cut > 0);
    const asked = await Promise.all(Array.from({ length: 40 }, () => callHttp1(target)));
    expect(new Set(asked.map(({ status, body: got }) => `${status} ${sha(got)}`))).toEqual(
      new Set([`200 ${sha(body)}`]),
    );
    release();
    const ends = await Promise.all(bodies);
    expect(ends.filter((how) => how === 'cut')).toHaveLength(4);
    expect(new Set(ends)).toEqual(new Set(['cut', sha(body)]));
    await until(() => open.links?.up === 4);
    expect(here.edge.routes()).toMatchObject([{ links: 4 }]);
    expect(states).toEqual([]);
  });

  it('a machine that comes back on another network is answered at once, though the edge still holds its dead links', async () => {
    const here = await world();
    const tap = await Tap.to(here.edge.port);
    onTestFinished(() => tap.close());
    const identity = await enrolled(here.state, tap.port);
    let port = tap.port;
    const changed: ((what: string) => void)[] = [];
    const { serve } = slowly();
    const open = await openTunnel(here, serve, {
      identity: Object.defineProperty({ ...identity }, 'port', { enumerable: true, get: () => port }),
      outbound: {
        proxyFor: () => undefined,
        authorities: async () => [],
        onNetworkChange: (listener) => {
          changed.push(listener);
          return () => {};
        },
      },
    });
    await until(() => open.links?.up === 4);
    tap.silence(); // The old way is gone, and the edge hears nothing of it.
    port = here.edge.port;
    for (const tell of changed) tell('this machine has other network addresses');
    await until(() => open.state.kind !== 'connected', 10_000);
    await until(() => open.state.kind === 'connected', 10_000);
    const target = targetOf(here, open.hostname);
    const answers = await Promise.all(Array.from({ length: 20 }, () => callHttp1(target)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });
});

/** Two edges that know the same connectors; what a registry would tell them is told by the connector's own links. */
const namedNodes = (nodes: () => string[]): EdgeCluster => ({
  nodeDoor: '_node.edge.test',
  nodes,
  sharing: { claim: async () => {}, publish: async () => {}, withdraw: () => {}, onLost: () => () => {} },
  attach: () => ({ find: () => undefined, open: async () => undefined }),
  acceptNode: (socket) => void socket.destroy(),
  announce: async () => ({ close: () => {} }),
});

describe('an edge that stops in order', () => {
  it('costs nobody a call: its links are replaced at its other node, and agents come there by and by', async () => {
    const ports: number[] = [];
    const cluster = namedNodes(() => ports.map((port) => `127.0.0.1:${port}`));
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const limits = { visitorsPerSecond: 1e6, visitorBurst: 1e6, handshakesPerSecondPerAddress: 1e6 };
    const here = await aWorld({ limits, cluster }, clock);
    const other = await startEdge(here.state, { clock, log: recordingLog([]), limits, cluster });
    ports.push(other.port);
    const { serve } = slowly();
    const identity = await enrolled(here.state, here.edge.port);
    await here.state.claimLabel('everything-x7k2', identity.connector);
    const open = await openTunnel(here, serve, { identity, random: () => 0.01 });
    await until(() => open.links?.up === 4);
    expect([here.edge.routes()[0]?.links, other.routes()[0]?.links]).toEqual([2, 2]);

    // Agents as behind a load balancer: new connections go to the node that is ready.
    let port = here.edge.port;
    const stop = { now: false };
    let calls = 0;
    const agent = async (): Promise<void> => {
      let session = connectAgent2({ ...targetOf(here, open.hostname), port });
      while (!stop.now) {
        if (session.closed || session.destroyed) session = connectAgent2({ ...targetOf(here, open.hostname), port });
        const answer = await callHttp2(session).catch((error: unknown) => {
          // One that crossed the GOAWAY was not processed, and clients send it again (RFC 9113 §8.7).
          if (!String(error).includes('NGHTTP2_REFUSED_STREAM')) throw error;
          session.close();
        });
        if (!answer) continue;
        expect([answer.status, sha(answer.body)]).toEqual([200, sha(body)]);
        calls += 1;
      }
      session.close();
    };
    const agents = Promise.all(Array.from({ length: 8 }, agent));
    await until(() => calls > 50);
    port = other.port;
    const left = await here.edge.drain({
      leadMs: 0,
      withinMs: 20_000,
      reason: 'update',
      urgent: new AbortController().signal,
    });
    expect(left).toBe(0);
    await here.edge.close();
    const before = calls;
    await until(() => calls > before + 50);
    stop.now = true;
    await agents;
    await until(() => other.routes()[0]?.links === 4);
    expect(open.state.kind).toBe('connected');
  });
});

describe('an edge behind a proxy of this machine', () => {
  it('cannot make it knock at doors of its own', async () => {
    const knocks: number[] = [];
    const door = createServer((socket) => {
      knocks.push(socket.localPort ?? 0);
      socket.destroy();
    }).listen(0, '127.0.0.1');
    const proxy = createHttpServer().on('connect', ({ url = '' }, near: Duplex) => {
      const far = connect(Number(url.split(':').at(-1)), '127.0.0.1', () => {
        near.write('HTTP/1.1 200 OK\r\n\r\n');
        near.pipe(far).pipe(near);
      });
      near.on('error', () => {}).once('close', () => far.destroy());
      far.on('error', () => {}).once('close', () => near.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await Promise.all([once(door, 'listening'), once(proxy, 'listening')]);
    onTestFinished(() => void [door, proxy].map((server) => server.close()));
    const portOf = (server: Pick<Server, 'address'>): number => (server.address() as AddressInfo).port;
    const doorPort = portOf(door);
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const here = await aWorld({ cluster: namedNodes(() => [`127.0.0.1:${doorPort}`]) }, clock);
    const identity = await enrolled(here.state, here.edge.port);
    await here.state.claimLabel('everything-x7k2', identity.connector);
    let asked = 0;
    const open = await openTunnel(here, slowly().serve, {
      identity,
      random: () => 0.01,
      outbound: {
        // An address of this machine is never reached through a proxy.
        proxyFor: (_names, port) => {
          if (port !== doorPort) return { host: '127.0.0.1', port: portOf(proxy), isTls: false };
          asked += 1;
          return undefined;
        },
        authorities: async () => [],
        onNetworkChange: () => () => {},
      },
    });
    await until(() => open.links?.up === 4);
    expect(asked).toBeGreaterThan(0);
    expect(knocks).toEqual([]);
  });
});
