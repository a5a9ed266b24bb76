// The link between edge and connector: visitors who come and go by the thousand, cuts, silence, and coming back.
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CarrierState, OpenCarrier, Serve } from '../../src/carriers/carrier.ts';
import { TunnelError } from '../../src/core/errors.ts';
import { silentEdgeLog } from '../../src/edge/edgeLog.ts';
import type { Framing } from '../../src/protocol/edge.ts';
import { knownFramings } from '../../src/wire/framings.ts';
import { callHttp1, collect, connectAgent, openHttp1, type Target } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, enrolled, openTunnel, startEdge, type World } from '../support/relay.ts';
import { Tap } from '../support/tap.ts';
import { until } from '../support/until.ts';

const unlimited = {
  visitorsPerSecond: 1e6,
  visitorBurst: 1e6,
  handshakesPerSecondPerAddress: 1e6,
  handshakeBurstPerAddress: 1e6,
};

async function world(framing: Framing = 'frames'): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld({ limits: unlimited, framings: [framing] }, clock);
}

const hello: Serve = (request, response) => {
  request.resume();
  (response as NodeJS.WritableStream).end('hello');
};

const targetOf = ({ edge, authority }: World, hostname: string): Target => {
  return { hostname, port: edge.port, ca: authority.certificatePem };
};

async function tapped(here: World, serve: Serve): Promise<{ tap: Tap; open: OpenCarrier; target: Target }> {
  const tap = await Tap.to(here.edge.port);
  onTestFinished(() => tap.close());
  const identity = await enrolled(here.state, tap.port);
  const open = await openTunnel(here, serve, { identity, random: () => 0.01 });
  return { tap, open, target: targetOf(here, open.hostname) };
}

const statesOf = (open: OpenCarrier): CarrierState['kind'][] => {
  const kinds: CarrierState['kind'][] = [];
  open.onState((state) => void kinds.push(state.kind));
  return kinds;
};

/** `total` visitors, `atOnce` of them at a time. */
async function visits(total: number, atOnce: number, visit: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < total; index = next++) await visit(index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

describe.each(knownFramings)('visitors who come and go (%s)', (framing) => {
  it('1,000 that open and abort leave the link as it was', { timeout: 60_000 }, async () => {
    const here = await world(framing);
    const open = await openTunnel(here, hello, { links: 1 });
    const states = statesOf(open);
    const target = targetOf(here, open.hostname);
    await visits(1000, 50, async (index) => {
      const socket = connectAgent(target);
      if (index % 2 === 0) await once(socket, 'secureConnect');
      else await once(socket, 'connect');
      if (index % 4 === 0) socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\npart');
      socket.destroy();
    });
    expect((await callHttp1(target)).body.toString()).toBe('hello');
    expect(states).toEqual([]);
    expect(open.state.kind).toBe('connected');
  });

  it('5,000 on one link, cut off in the middle of their handshake, do not end it', { timeout: 120_000 }, async () => {
    const here = await world(framing);
    const open = await openTunnel(here, hello, { links: 1 });
    const states = statesOf(open);
    const target = targetOf(here, open.hostname);
    const clientHello = await captureHello(target);
    await visits(5000, 100, async () => {
      const socket = connect({ port: here.edge.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.write(clientHello);
      const answered = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      expect(answered[0]).toBeInstanceOf(Buffer); // The inner server has answered: the stream is fully open.
      socket.resetAndDestroy();
    });
    expect(here.edge.counters.visitors).toBeGreaterThanOrEqual(5000);
    expect((await callHttp1(target)).body.toString()).toBe('hello');
    expect(states).toEqual([]);
  });
});

async function captureHello(target: Target): Promise<Buffer> {
  const tap = await Tap.to(target.port, { record: true });
  const socket = connectAgent({ ...target, port: tap.port });
  await once(socket, 'connect');
  await until(() => tap.recorded.length > 0);
  const bytes = Buffer.from(tap.recorded);
  socket.destroy();
  await tap.close();
  return bytes.subarray(0, 5 + bytes.readUInt16BE(3));
}

describe.each(knownFramings)('a link that is cut (%s)', (framing) => {
  it('fails its visitors at once, and serves the same name again after dialling', async () => {
    const here = await world(framing);
    const { tap, open, target } = await tapped(here, (request, response) => {
      if (request.url !== '/long') return hello(request, response, { carrier: '', visitor: '', hostnames: [] });
      response.writeHead(200, { 'content-length': '1000000' });
      (response as NodeJS.WritableStream).write('the first part');
    });
    const states = statesOf(open);
    const long = await openHttp1(target, { path: '/long' });
    const body = collect(long);
    tap.cut();
    await expect(body).rejects.toThrow();

    await until(() => states.includes('connected'));
    expect(states.slice(0, 2)).toEqual(['waiting', 'connecting']);
    expect((await callHttp1(target)).body.toString()).toBe('hello');
    expect(here.edge.routes()).toHaveLength(1);
  });

  it('is dialled again and again while the edge is away, and comes back with the edge', async () => {
    const here = await world(framing);
    const open = await openTunnel(here, hello, { random: () => 0.02 });
    const { port } = here.edge;
    const attempts: number[] = [];
    open.onState((state) => {
      if (state.kind !== 'waiting') return;
      attempts.push(state.attempt);
      expect(state.error.code).toBe('EDGE_UNREACHABLE');
    });
    await here.edge.close();
    await until(() => attempts.length >= 4);
    expect(attempts.slice(0, 4)).toEqual([1, 2, 3, 4]);

    await startEdge(here.state, { clock: here.clock, log: silentEdgeLog, listen: { host: '127.0.0.1', port } });
    await until(() => open.state.kind === 'connected');
    const answer = await callHttp1({ ...targetOf(here, open.hostname), port });
    expect(answer.body.toString()).toBe('hello');
  });

  it('asks the policy at every dial, and ends when the answer has become no', async () => {
    const here = await world(framing);
    const tap = await Tap.to(here.edge.port);
    onTestFinished(() => tap.close());
    const identity = await enrolled(here.state, tap.port);
    let allowed = true;
    const open = await openTunnel(here, hello, {
      identity,
      random: () => 0.01,
      mayDial: (dialled) => {
        // The name, and the address that this machine connects to for it.
        const hosts = [`edge.test:${tap.port}`, `127.0.0.1:${tap.port}`];
        expect(hosts.map((host) => ({ carrier: 'edge', host }))).toContainEqual(dialled);
        if (!allowed) throw new TunnelError('DESTINATION_DENIED', 'no entry for it');
      },
    });
    await until(() => open.links?.up === 4);
    allowed = false;
    tap.cut();
    await until(() => open.state.kind === 'failed');
    expect(open.state).toMatchObject({ error: { code: 'DESTINATION_DENIED' } });
    expect(tap.connections).toBe(4);
  });
});

describe('closing', () => {
  it('ends visitors, the route and the dialling', async () => {
    const here = await world();
    const open = await openTunnel(here, (_request, response) => {
      response.writeHead(200);
      (response as NodeJS.WritableStream).write('x');
    });
    const target = targetOf(here, open.hostname);
    const body = collect(await openHttp1(target));
    await open.close();
    await expect(body).rejects.toThrow();
    await until(() => here.edge.routes().length === 0);
    await expect(callHttp1(target)).rejects.toThrow();
    await open.close(); // Again changes nothing.
  });

  it('while the connector waits to dial again ends the waiting', async () => {
    const here = await world();
    const open = await openTunnel(here, hello, { random: () => 0.999 });
    await here.edge.close();
    await until(() => open.state.kind === 'waiting');
    await open.close();
    expect(here.clock.pending).toBe(0);
  });

  it('before the first connection stands leaves nothing open', async () => {
    const here = await world();
    const tap = await Tap.to(here.edge.port);
    onTestFinished(() => tap.close());
    tap.silence(); // Accepts, and says nothing.
    const stop = new AbortController();
    const identity = await enrolled(here.state, tap.port);
    const opening = openTunnel(here, hello, { identity, signal: stop.signal });
    await until(() => tap.connections === 1);
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});
