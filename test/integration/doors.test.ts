// Who may come in where: strangers at the visitors' way in, machines at the connectors' door, newcomers at enrolment.
import { once } from 'node:events';
import { request } from 'node:https';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import { certificateTools } from '../../src/certs/certificateTools.ts';
import { connectorUri } from '../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { EdgeOptions } from '../../src/edge/edge.ts';
import { silentEdgeLog } from '../../src/edge/edgeLog.ts';
import { enrolmentHandler } from '../../src/edge/enrolment.ts';
import { connectorAlpn } from '../../src/protocol/edge.ts';
import type { EdgeIdentity } from '../../src/tunnel/edgeIdentity.ts';
import { enroll } from '../../src/tunnel/enroll.ts';
import { callHttp1, connectAgent } from '../support/agents.ts';
import { anAuthority } from '../support/certs.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { MemoryFiles } from '../support/memoryFiles.ts';
import { aWorld, domain, enrolled, openTunnel, startEdge, type World } from '../support/relay.ts';
import { Tap } from '../support/tap.ts';
import { until } from '../support/until.ts';

const minute = 60_000;
const hello: Serve = (_request, response) => void (response as NodeJS.WritableStream).end('hello');

async function world(options: Partial<EdgeOptions> = {}): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld(options, clock);
}

/** What comes back until the other side hangs up. */
async function heard(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

const tcp = (port: number): Socket => connectTcp({ port, host: '127.0.0.1' });

describe('a visitor whom nobody expects', () => {
  it.each([
    ['plain HTTP', 'GET /mcp HTTP/1.1\r\nhost: everything-x7k2.edge.test\r\n\r\n'],
    ['an SSH greeting', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['zeros', '\0'.repeat(600)],
    ['a TLS alert', '\x15\x03\x03\x00\x02\x02\x28'],
    ['a record that is no ClientHello', `\x16\x03\x01\x00\x04\x02\x00\x00\x00`],
  ])('hears nothing: %s', async (_name, bytes) => {
    const here = await world();
    await openTunnel(here, hello);
    const socket = tcp(here.edge.port);
    socket.write(bytes, 'latin1');
    expect(await heard(socket)).toBe('');
    expect(here.edge.counters).toMatchObject({ notTls: 1, visitors: 0 });
  });

  it.each<[string, ConnectionOptions]>([
    ['a name that nobody serves', { servername: 'nobody.edge.test' }],
    ['no name', { servername: '' }],
    ['a name below a served one', { servername: 'x.everything-x7k2.edge.test' }],
    ['the domain itself', { servername: domain }],
    ['the enrolment door where there is none', { servername: `enroll.${domain}` }],
  ])('hears nothing: %s', async (_name, options) => {
    const here = await world();
    await openTunnel(here, hello);
    const socket = connectTls({ port: here.edge.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    expect(await heard(socket)).toBe('');
    expect(here.edge.counters).toMatchObject({ noRoute: 1, visitors: 0 });
  });

  it('is closed when it does not say whom it wants in time', async () => {
    const here = await world({ limits: { helloMs: 50 } });
    const silent = tcp(here.edge.port);
    const slow = tcp(here.edge.port);
    slow.write('\x16\x03\x01\x02\x00', 'latin1');
    expect(await Promise.all([heard(silent), heard(slow)])).toEqual(['', '']);
    expect(here.edge.counters.noHello).toBe(2);
  });

  it('finds its server also when its hello comes one byte at a time, in any case of letters', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, hello);
    const target = { hostname: hostname.toUpperCase(), port: here.edge.port, ca: here.authority.certificatePem };
    const tap = await Tap.to(here.edge.port, { record: true });
    const agent = connectAgent({ ...target, port: tap.port });
    await once(agent, 'connect');
    await until(() => tap.recorded.length > 0);
    const bytes = Buffer.from(tap.recorded);
    const clientHello = bytes.subarray(0, 5 + bytes.readUInt16BE(3));
    agent.destroy();
    await tap.close();

    const socket = tcp(here.edge.port).setNoDelay(true);
    await once(socket, 'connect');
    for (const byte of clientHello) {
      await new Promise<void>((resolve, reject) => {
        socket.write(Uint8Array.of(byte), (error) => (error ? reject(error) : resolve()));
      });
    }
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer[0]).toBe(22); // A handshake record: the inner server has read the whole hello.
    expect(answer[5]).toBe(2); // ServerHello
    socket.destroy();
  });

  it('is turned away over the cap of its address, and let in again when others have left', async () => {
    const here = await world({ limits: { maxConnectionsPerAddress: 4 } });
    const { hostname } = await openTunnel(here, hello, { links: 1 }); // Its link is one of the four.
    const target = { hostname, port: here.edge.port, ca: here.authority.certificatePem };
    const waiting = Array.from({ length: 3 }, () => tcp(here.edge.port));
    await until(() => here.edge.counters.connections === 4);
    await expect(callHttp1(target)).rejects.toThrow();
    expect(here.edge.counters.overConnectionCap).toBe(1);
    for (const socket of waiting) socket.destroy();
    await until(async () => (await callHttp1(target).catch(() => undefined))?.body.toString() === 'hello');
  });

  it('is turned away when a route gets more newcomers than it may', async () => {
    const here = await world({ limits: { visitorBurst: 3, visitorsPerSecond: 0 } });
    const { hostname } = await openTunnel(here, hello);
    const target = { hostname, port: here.edge.port, ca: here.authority.certificatePem };
    for (let call = 0; call < 3; call += 1) expect((await callHttp1(target)).status).toBe(200);
    await expect(callHttp1(target)).rejects.toThrow();
    expect(here.edge.counters.overVisitorRate).toBe(1);
  });
});

describe('the connectors’ door', () => {
  const opening = (here: World, identity: EdgeIdentity): Promise<unknown> => openTunnel(here, hello, { identity });

  it('refuses a certificate of another authority', async () => {
    const here = await world();
    const mine = await enrolled(here.state, here.edge.port);
    const foreign = await anAuthority();
    const key = await makeKeyPair();
    const certificate = foreign.issueClient({ uri: connectorUri(mine.connector), publicKey: key.publicKey, days: 1 });
    const identity = { ...mine, key: key.privateKeyPem, certificate };
    await expect(opening(here, identity)).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
      message: expect.stringContaining('does not know the issuer') as string,
    });
    expect(here.edge.counters.connectorsRefused).toBe(1);
    expect(here.edge.routes()).toEqual([]);
  });

  it('refuses a certificate of its own authority that names no connector', async () => {
    const here = await world();
    const mine = await enrolled(here.state, here.edge.port);
    const key = await makeKeyPair();
    const certificate = here.state.authority.issueServer({ names: ['edge.test'], publicKey: key.publicKey, days: 1 });
    const identity = { ...mine, key: key.privateKeyPem, certificate };
    await expect(opening(here, identity)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
  });

  it('refuses an expired certificate, whatever the machine’s own clock says', async () => {
    const clock = new ShiftedClock();
    expectNothingLeft(clock);
    const here = await aWorld({}, clock);
    const mine = await enrolled(here.state, here.edge.port);
    const key = await makeKeyPair();
    const uri = connectorUri(mine.connector);
    // Made ten minutes ago, for five.
    clock.aheadMs = -10 * minute;
    const certificate = here.state.authority.issueClient({ uri, publicKey: key.publicKey, days: 5 / (24 * 60) });
    clock.aheadMs = 0;
    const identity = { ...mine, key: key.privateKeyPem, certificate };
    await expect(opening(here, identity)).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    expect(here.edge.counters.connectorsRefused).toBe(0); // It did not even dial.

    const slow = new ShiftedClock();
    slow.aheadMs = -8 * minute;
    await expect(openTunnel({ ...here, clock: slow }, hello, { identity })).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
      message: expect.stringContaining('by the edge’s clock this machine’s certificate has expired') as string,
    });
    expect(here.edge.counters.connectorsRefused).toBe(1);
  });

  it('refuses a revoked connector, and cuts one off that is connected', async () => {
    const here = await world();
    const identity = await enrolled(here.state, here.edge.port);
    const open = await openTunnel(here, hello, { identity, random: () => 0.01 });
    await here.state.revokeConnector(identity.connector);
    await until(() => open.state.kind === 'failed');
    expect(open.state).toMatchObject({ error: { code: 'CERTIFICATE_INVALID', retryable: false } });
    expect(here.edge.routes()).toEqual([]);
    await expect(opening(here, identity)).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
      message: expect.stringContaining('revoked') as string,
    });
  });

  it('refuses who shows no certificate, and says why in HTTP/2', async () => {
    const here = await world();
    const socket = connectTls({
      port: here.edge.port,
      host: '127.0.0.1',
      servername: `connect.${domain}`,
      ca: here.state.authority.certificatePem,
      ALPNProtocols: [connectorAlpn.http2],
    });
    const text = await heard(socket);
    expect(text.startsWith('PRI * HTTP/2.0')).toBe(true);
    expect(text.endsWith('no-certificate')).toBe(true);
  });

  it.each<[string, ConnectionOptions]>([
    ['TLS 1.2', { maxVersion: 'TLSv1.2', ALPNProtocols: [connectorAlpn.http2] }],
    ['another protocol', { ALPNProtocols: ['h2'] }],
    ['no protocol', {}],
  ])('hangs up on %s', async (_name, options) => {
    const here = await world();
    const { key, certificate } = await enrolled(here.state, here.edge.port);
    const socket = connectTls({
      port: here.edge.port,
      host: '127.0.0.1',
      servername: `connect.${domain}`,
      ca: here.state.authority.certificatePem,
      key,
      cert: certificate,
      ...options,
    });
    expect(await heard(socket)).toBe('');
    expect(here.edge.routes()).toEqual([]);
  });

  it('turns a machine away that holds too many links', async () => {
    const here = await world({ limits: { maxSessionsPerConnector: 1 } });
    const identity = await enrolled(here.state, here.edge.port);
    await openTunnel(here, hello, { identity });
    const second = openTunnel(here, hello, { identity, label: 'second', instance: 'instance-2' });
    await expect(second).rejects.toMatchObject({ code: 'LIMIT' });
  });

  it('is not entered by an edge that is none', async () => {
    const here = await world();
    const identity = await enrolled(here.state, here.edge.port);
    const other = await aWorld();
    const elsewhere = { ...identity, port: other.edge.port };
    await expect(opening(here, elsewhere)).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    const pinned = { ...elsewhere, pin: here.state.serverIdentity().pin };
    await expect(opening(here, pinned)).rejects.toMatchObject({ code: 'EDGE_IDENTITY' });
    await opening(here, { ...identity, pin: here.state.serverIdentity().pin });
  });

  it('cannot be reached where nothing listens', async () => {
    const here = await world();
    const identity = await enrolled(here.state, here.edge.port);
    await here.edge.close();
    await expect(opening(here, identity)).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE', retryable: true });
  });
});

/** A clock that is behind. */
/** As far from the machine's as it is told. */
class ShiftedClock extends CountingClock {
  aheadMs = 0;

  override now(): number {
    return super.now() + this.aheadMs;
  }
}

describe('the enrolment door', () => {
  it('makes a machine a connector that may serve at once, for one token', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const here = await aWorld({}, clock);
    const edge = await withEnrolment(here);
    const { token } = await here.state.mintToken();
    const ask = (): Promise<EdgeIdentity> =>
      enroll({
        edge: { host: domain, port: edge.port },
        token,
        pin: here.state.serverIdentity().pin,
        address: '127.0.0.1',
        files: new MemoryFiles(),
        folder: '/edges',
        clock: systemClock,
        certs: certificateTools,
        mayDial: () => {},
        signal: new AbortController().signal,
      });
    const identity = await ask();
    const { hostname } = await openTunnel({ ...here, edge }, hello, { identity });
    const target = { hostname, port: edge.port, ca: here.authority.certificatePem };
    expect((await callHttp1(target)).body.toString()).toBe('hello');
    await expect(ask()).rejects.toMatchObject({ code: 'ENROLMENT_REFUSED' });
  });

  it('has no other pages', async () => {
    const here = await world();
    const edge = await withEnrolment(here);
    const status = await new Promise((resolve, reject) => {
      const createConnection = (): Socket =>
        connectTls({
          port: edge.port,
          host: '127.0.0.1',
          servername: `enroll.${domain}`,
          ca: here.state.authority.certificatePem,
        });
      request({ createConnection, path: '/', method: 'GET' }, (response) => {
        resolve(response.resume().statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
  });
});

async function withEnrolment(here: World): ReturnType<typeof startEdge> {
  const enrolment = enrolmentHandler(here.state, { clock: here.clock, log: silentEdgeLog });
  const edge = await startEdge(here.state, { clock: here.clock, log: silentEdgeLog, enrolment });
  onTestFinished(() => edge.close());
  return edge;
}
