// The numbers that protect an edge: at each of them the newcomer is turned away, and what is served goes on.
import { once } from 'node:events';
import { connect as connectTcp, createServer, Server, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import { defaultEdgeLimits, type EdgeLimits } from '../../src/edge/edgeLimits.ts';
import { keepAliveMs } from '../../src/gateway/eventWriter.ts';
import { connectorAlpn } from '../../src/protocol/edge.ts';
import { openConnectorLink } from '../../src/wire/framings.ts';
import { callHttp1, openHttp1, type Target } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, domain, enrolled, openTunnel, type World } from '../support/relay.ts';
import { until } from '../support/until.ts';

/** `/stay` says one word and then nothing; `/drip` goes on for ever. */
const serve: Serve = (request, response) => {
  const out = response as NodeJS.WritableStream;
  if (request.url === '/stay') return void out.write('begun');
  if (request.url !== '/drip') return void out.end('hello');
  out.write('begun');
  const drip = setInterval(() => out.write('.'), 20);
  response.on('close', () => clearInterval(drip));
};

async function world(limits: Partial<EdgeLimits>): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld({ limits }, clock);
}

function at(here: World, hostname: string, address = '127.0.0.1'): Target {
  const tls = { localAddress: address } as ConnectionOptions;
  return { hostname, port: here.edge.port, ca: here.authority.certificatePem, tls };
}

function stranger(here: World, address = '127.0.0.1'): Socket {
  const socket = connectTcp({ port: here.edge.port, host: '127.0.0.1', localAddress: address });
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => {}).resume();
}

/** As Node sends it to a port that says nothing. */
async function helloTo(hostname: string): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const caller = connectTls({ port, host: '127.0.0.1', servername: hostname }).on('error', () => {});
  const [callee] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(callee, 'data')) as [Buffer];
  caller.destroy();
  callee.destroy();
  server.close();
  return hello;
}

const said = async (here: World, hostname: string, address?: string): Promise<string> =>
  (await callHttp1(at(here, hostname, address))).body.toString();

it('of too many that say nothing the one that has been silent for longest makes room', async () => {
  const here = await world({ maxHalfOpen: 3 });
  const { hostname } = await openTunnel(here, serve, { links: 1 });
  const silent = Array.from({ length: 5 }, () => stranger(here));
  await until(() => here.edge.counters.overHalfOpen === 2);
  expect(await said(here, hostname)).toBe('hello'); // It took the place of the third, for as long as its hello took.
  await until(() => silent.filter(({ closed }) => closed).length === 3);
  expect(silent.slice(3).map(({ closed }) => closed)).toEqual([false, false]);
});

it('of too many who name a door and do not prove who they are, the one that came first makes room', async () => {
  const here = await world({ maxAtDoors: 3 });
  const { hostname } = await openTunnel(here, serve, { links: 2 }); // Who has proved it counts no more.
  const hello = await helloTo(`connect.${domain}`);
  const silent = Array.from({ length: 5 }, () => stranger(here));
  for (const socket of silent) socket.write(hello);
  await until(() => here.edge.counters.overAtDoors === 2);
  await openTunnel(here, serve, { links: 1, label: 'other-name', instance: 'instance-2' });
  expect(here.edge.figures().links).toBe(3);
  expect(await said(here, hostname)).toBe('hello');
});

it('what the system says of connections that it cannot accept ends nothing', async () => {
  const here = await world({});
  const servers = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  const server = servers.find(
    (one): one is Server => one instanceof Server && (one.address() as AddressInfo | null)?.port === here.edge.port,
  );
  for (let time = 0; time < 3; time += 1) server!.emit('error', new Error('accept ENOBUFS'));
  expect(here.edge.counters.notAccepted).toBe(3);
});

it('one link serves only so many names, also where it claims them all at once', async () => {
  const here = await world({ maxRoutesPerSession: 2 });
  const { key, certificate, ca } = await enrolled(here.state, here.edge.port);
  const socket = connectTls({
    port: here.edge.port,
    host: '127.0.0.1',
    servername: `connect.${domain}`,
    ALPNProtocols: [connectorAlpn.frames],
    key,
    cert: certificate,
    ca,
  });
  await once(socket, 'secureConnect');
  const link = openConnectorLink(socket, { clock: here.clock, onStream: (stream) => void stream.resume() });
  onTestFinished(() => link.close());
  const control = await link.control;
  control.start();
  const claims = ['one', 'two', 'three', 'four', 'five'].map((label) =>
    control.request('route/claim', { label, instance: 'i', run: 'r' }),
  );
  const settled = await Promise.allSettled(claims);
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
  expect(here.edge.routes()).toHaveLength(2);
});

it('what waits for a connector that does not read is bounded, and its largest waiter pays', async () => {
  const here = await world({ maxHeldBytesPerConnector: 1 << 20 });
  const { key, certificate, ca } = await enrolled(here.state, here.edge.port);
  const names = { servername: `connect.${domain}`, ALPNProtocols: [connectorAlpn.frames] };
  const socket = connectTls({ port: here.edge.port, host: '127.0.0.1', key, cert: certificate, ca, ...names });
  await once(socket, 'secureConnect');
  const link = openConnectorLink(socket, { clock: here.clock, onStream: () => {} });
  onTestFinished(() => link.close());
  const control = await link.control;
  control.start();
  await control.request('route/claim', { label: 'slow-name', instance: 'i', run: 'r' });
  socket.pause();
  const hello = await helloTo(`slow-name.${domain}`);
  const upload = Buffer.alloc(8 << 20);
  for (let at = 0; at < 32; at += 1) stranger(here).write(Buffer.concat([hello, upload]));
  await until(() => here.edge.counters.overHeldBytes > 0);
  await until(() => here.edge.figures().heldBytes <= 1 << 20);
});

it('a hello has one deadline in all, however it drips', async () => {
  const here = await world({ helloMs: 300 });
  const slow = stranger(here);
  const hello = Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), Buffer.alloc(400)]);
  let sent = 0;
  while (!slow.closed && sent < hello.length) {
    slow.write(hello.subarray(sent, (sent += 1)));
    await pause(10);
  }
  expect(sent).toBeLessThan(hello.length);
  expect(here.edge.counters.noHello).toBe(1);
});

it('a hello that is too long is none', async () => {
  const here = await world({ maxHelloBytes: 1024 });
  const long = stranger(here);
  long.write(Buffer.from('16030104000100', 'hex')); // A record of 1024 bytes, and its header.
  await once(long, 'close');
  expect(here.edge.counters.notTls).toBe(1);
});

it('one address may open only so many connections a second, and others do not feel it', async () => {
  const here = await world({ handshakeBurstPerAddress: 3, handshakesPerSecondPerAddress: 0 });
  const { hostname } = await openTunnel(here, serve, { links: 1 });
  for (let call = 0; call < 3; call += 1) expect(await said(here, hostname, '127.0.0.2')).toBe('hello');
  await expect(said(here, hostname, '127.0.0.2')).rejects.toThrow();
  expect(await said(here, hostname, '127.0.0.3')).toBe('hello');
  expect(here.edge.counters).toMatchObject({ overAddressRate: 1, visitors: 4 });
});

it('a route has only so many visitors at a time, and so have all of a connector', async () => {
  const here = await world({ maxVisitorsPerRoute: 2, maxVisitorsPerConnector: 3 });
  const identity = await enrolled(here.state, here.edge.port);
  const one = await openTunnel(here, serve, { identity, links: 1 });
  const two = await openTunnel(here, serve, { identity, links: 1, label: 'other-name', instance: 'instance-2' });
  const third = await openTunnel(here, serve, { links: 1, label: 'third-name', instance: 'instance-3' });
  const stay = (hostname: string) => openHttp1(at(here, hostname), { path: '/stay' });
  const staying = [await stay(one.hostname), await stay(one.hostname)];
  await expect(said(here, one.hostname)).rejects.toThrow(); // Over its route's.
  staying.push(await stay(two.hostname));
  await expect(said(here, two.hostname)).rejects.toThrow(); // Over its connector's.
  expect(await said(here, third.hostname)).toBe('hello'); // Of another connector.
  expect(here.edge.counters.overVisitorCap).toBe(2);

  for (const response of staying) response.on('error', () => {}).destroy();
  await until(async () => (await said(here, one.hostname).catch(() => '')) === 'hello');
});

it('a visitor on whose connection nothing moves is cut off, and one that gets something now and then is not', async () => {
  const here = await world({ idleMs: 2000 }); // A hundred drips: a busy machine may miss many.
  const { hostname } = await openTunnel(here, serve);
  const drips = await openHttp1(at(here, hostname), { path: '/drip' });
  drips.on('error', () => {}).resume();
  const silent = await openHttp1(at(here, hostname), { path: '/stay' });
  silent.on('error', () => {}).resume();
  await until(() => silent.closed);
  expect(here.edge.counters.idle).toBe(1);
  expect(drips.closed).toBe(false);
  drips.destroy();
});

it('a silent event stream is never idle: its comments come many times as often', () => {
  expect(defaultEdgeLimits.idleMs).toBeGreaterThanOrEqual(4 * keepAliveMs);
});

it('no connection lasts for ever, whatever moves on it', async () => {
  const here = await world({ lifetimeMs: 300 });
  const { hostname } = await openTunnel(here, serve);
  const drips = await openHttp1(at(here, hostname), { path: '/drip' });
  await expect(once(drips.resume(), 'end')).rejects.toThrow(); // Cut off: it must not look like an end.
  expect(here.edge.counters).toMatchObject({ overLifetime: 1, idle: 0 });
});

it('a connector claims names only so fast, and one that is refused goes on as it was', async () => {
  const here = await world({ claimBurstPerConnector: 2, claimsPerSecondPerConnector: 0 });
  const open = await openTunnel(here, serve, { links: 1 });
  await open.letIn?.({ networks: ['127.0.0.2/32'] });
  await expect(open.letIn?.(undefined)).rejects.toMatchObject({ code: 'LIMIT' });
  expect(here.edge.counters.overClaimRate).toBeGreaterThan(0);
  expect(await said(here, open.hostname, '127.0.0.2')).toBe('hello');
  await expect(said(here, open.hostname, '127.0.0.1')).rejects.toThrow();
  const other = await openTunnel(here, serve, { links: 1, label: 'other-name', instance: 'instance-2' });
  expect(await said(here, other.hostname)).toBe('hello'); // Another machine's claims are its own.
});
