// An edge that is told to end, with real connectors and real visitors.
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Writable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { HttpResponse, Serve } from '../../src/carriers/carrier.ts';
import { connectorAlpn } from '../../src/protocol/edge.ts';
import { openConnectorLink } from '../../src/wire/framings.ts';
import { callHttp1, openHttp1, type Target } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, domain, enrolled, openTunnel, type World } from '../support/relay.ts';
import { until } from '../support/until.ts';

const hello: Serve = (_request, response) => void response.end('hello');
/** Both kinds of answer can be written to, but not as the union that they are. */
const write = (response: HttpResponse, text: string): void => void (response as Writable).write(text);
const never = new AbortController().signal;

function targetOf({ edge, authority }: World, hostname: string): Target {
  return { port: edge.port, hostname, ca: authority.certificatePem };
}

async function refuses(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(false)));
    socket.once('error', () => resolve(true));
  });
}

describe('an edge that drains', () => {
  it('lets the visitor who is inside finish, nobody new in, and its connector hears of it', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    let finish: (() => void) | undefined;
    const serve: Serve = (_request, response) => {
      write(response, 'half ');
      finish = () => response.end('done');
    };
    const here = await aWorld({}, clock);
    const open = await openTunnel(here, serve);
    const answer = callHttp1(targetOf(here, open.hostname));
    await until(() => finish !== undefined);
    expect(here.edge.routes()).toMatchObject([{ hostname: open.hostname, visitors: 1 }]);

    expect(here.edge.isOpen).toBe(true);
    const drained = here.edge.drain({ leadMs: 0, withinMs: 30_000, reason: 'a restart', urgent: never });
    expect(here.edge.isOpen).toBe(false);
    expect(here.edge.figures().isDraining).toBe(true);
    await until(() => refuses(here.edge.port));
    expect(here.edge.figures().visitors).toBe(1);
    finish?.();
    expect((await answer).body.toString()).toBe('half done');
    expect(await drained).toBe(0);
    await here.edge.close();
  });

  it('tells a connector whose handshake was under way when the others heard of it', async () => {
    const here = await aWorld({}, new CountingClock());
    const open = await openTunnel(here, (_request, response) => write(response, 'half '));
    const answer = await openHttp1(targetOf(here, open.hostname));
    answer.on('error', () => {});
    const { key, certificate, ca } = await enrolled(here.state, here.edge.port);
    const before = here.edge.counters.connections;
    const socket = connect(here.edge.port, '127.0.0.1');
    await until(() => here.edge.counters.connections > before);
    const drained = here.edge.drain({ leadMs: 0, withinMs: 30_000, reason: 'a restart', urgent: never });
    await until(() => refuses(here.edge.port));
    const names = { servername: `connect.${domain}`, ALPNProtocols: [connectorAlpn.frames] };
    const tls = connectTls({ socket, key, cert: certificate, ca, ...names });
    await once(tls, 'secureConnect');
    const link = openConnectorLink(tls, { clock: here.clock, onStream: (stream) => void stream.resume() });
    const control = await link.control;
    const told = new Promise((resolve) => control.on('drain', resolve));
    control.start();
    expect(await told).toEqual({ reason: 'a restart', withinMs: 30_000 });
    answer.destroy();
    await drained;
    await link.close();
  });

  it('cuts off who does not finish in time, and at once when it is urgent', async () => {
    for (const withinMs of [200, 30_000]) {
      const clock = new CountingClock();
      const here = await aWorld({}, clock);
      const open = await openTunnel(here, (_request, response) => write(response, 'half '));
      const socket = await openHttp1(targetOf(here, open.hostname));
      await until(() => here.edge.figures().visitors === 1);
      const urgent = new AbortController();
      const drained = here.edge.drain({ leadMs: 0, withinMs, reason: 'a restart', urgent: urgent.signal });
      if (withinMs > 1000) urgent.abort();
      expect(await drained).toBe(1);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      await here.edge.close();
      socket.destroy();
      await closed;
    }
  });

  it('takes visitors as before while load balancers learn that it is not ready', async () => {
    expectNothingLeft();
    const here = await aWorld();
    const open = await openTunnel(here, hello);
    const urgent = new AbortController();
    const drained = here.edge.drain({ leadMs: 60_000, withinMs: 0, reason: 'a restart', urgent: urgent.signal });
    expect((await callHttp1(targetOf(here, open.hostname))).body.toString()).toBe('hello');
    urgent.abort();
    await drained;
    expect(await refuses(here.edge.port)).toBe(true);
    await here.edge.close();
  });

  it('counts what it relays both ways, while a visitor is inside and after', async () => {
    expectNothingLeft();
    const here = await aWorld();
    const open = await openTunnel(here, (_request, response) => void response.end(Buffer.alloc(100_000)));
    await callHttp1(targetOf(here, open.hostname));
    await until(() => here.edge.figures().visitors === 0);
    const { bytesToVisitors, bytesToConnectors, links, routes, connectors } = here.edge.figures();
    expect(bytesToVisitors).toBeGreaterThan(100_000);
    expect(bytesToVisitors).toBeLessThan(150_000);
    expect(bytesToConnectors).toBeGreaterThan(200);
    expect([links > 0, routes, connectors]).toEqual([true, 1, 1]);
  });
});
