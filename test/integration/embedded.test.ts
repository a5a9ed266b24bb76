// The carrier for this machine: one loopback port, any name or none, and nobody else's.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CarrierOptions, OpenCarrier, Serve } from '../../src/carriers/carrier.ts';
import { embeddedCarrier } from '../../src/carriers/embedded.ts';
import type { Authority } from '../../src/certs/authority.ts';
import { TunnelError } from '../../src/core/errors.ts';
import { connectorAlpn } from '../../src/protocol/edge.ts';
import { callHttp1, callHttp2, connectAgent2 } from '../support/agents.ts';
import { anAuthority } from '../support/certs.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, enrolled } from '../support/relay.ts';
import { until } from '../support/until.ts';

const serve: Serve = (_request, response, arrival) => {
  (response as NodeJS.WritableStream).end(JSON.stringify(arrival));
};

type Here = { authority: Authority; clock: CountingClock; log: string[] };

async function machine(): Promise<Here> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return { authority: await anAuthority(), clock, log: [] };
}

async function open({ authority, clock, log }: Here, options: Partial<CarrierOptions> = {}): Promise<OpenCarrier> {
  const carrier = embeddedCarrier({ authority, caFile: '/home/ca.pem', clock, random: Math.random });
  expect(carrier).toMatchObject({ kind: 'embedded', privacy: 'end-to-end' });
  const opened = await carrier.open(
    {
      label: 'everything-x7k2',
      instance: 'instance-1',
      portIsFixed: false,
      serve,
      mayDial: () => {},
      log: (line) => void log.push(line),
      ...options,
    },
    new AbortController().signal,
  );
  onTestFinished(() => opened.close());
  return opened;
}

async function occupied(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('an embedded tunnel', () => {
  it('says where it is', async () => {
    const here = await machine();
    const opened = await open(here);
    const { port } = opened;
    expect(opened).toMatchObject({
      hostname: 'everything-x7k2.tunnel.localhost',
      url: `https://everything-x7k2.tunnel.localhost:${port}/mcp`,
      loopbackUrl: `https://127.0.0.1:${port}/mcp`,
      caFile: '/home/ca.pem',
      state: { kind: 'connected' },
    });
  });

  it.each(['everything-x7k2.tunnel.localhost', 'localhost', '127.0.0.1'])('answers for %s', async (hostname) => {
    const here = await machine();
    const { port = 0 } = await open(here);
    const target = { hostname, port, ca: here.authority.certificatePem };
    const arrival = {
      carrier: 'embedded',
      visitor: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      hostnames: ['everything-x7k2.tunnel.localhost', 'localhost', '127.0.0.1', '::1'],
    };
    expect(JSON.parse((await callHttp1(target)).body.toString())).toEqual(arrival);
    const session = connectAgent2(target);
    expect(JSON.parse((await callHttp2(session)).body.toString())).toEqual(arrival);
    session.close();
    await once(session, 'close');
  });

  it('tells of a client that does not trust it, once and not for each attempt', async () => {
    const here = await machine();
    const { port = 0 } = await open(here);
    const stranger = await anAuthority();
    const target = { hostname: 'localhost', port, ca: stranger.certificatePem };
    await expect(callHttp1(target)).rejects.toThrow();
    await until(() => here.log.length === 1);
    expect(here.log[0]).toMatch(
      /^the client at 127\.0\.0\.1:\d+ left without asking anything: does it trust the CA file/,
    );
    await expect(callHttp1(target)).rejects.toThrow();
    expect((await callHttp1({ ...target, ca: here.authority.certificatePem })).status).toBe(200);
    expect(here.log).toHaveLength(1);
  });

  it('keeps its port when it opens again, and takes another one when that is in use', async () => {
    const here = await machine();
    const first = await open(here);
    const { port = 0 } = first;
    await first.close();
    const second = await open(here, { port });
    expect(second.port).toBe(port);

    const third = await open(here, { port, label: 'other' });
    expect(third.port).not.toBe(port);
    expect(here.log.some((line) => line.includes(`${port} is in use`))).toBe(true);
  });

  it('refuses when the port that a person chose is in use, and leaves nothing open', async () => {
    const here = await machine();
    const port = await occupied();
    await expect(open(here, { port, portIsFixed: true })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${port}`) as string,
    });
  });

  it('opens nothing when the policy says no', async () => {
    const here = await machine();
    const mayDial = (dialled: unknown): void => {
      expect(dialled).toEqual({ carrier: 'embedded' });
      throw new TunnelError('DESTINATION_DENIED', 'no entry for it');
    };
    await expect(open(here, { mayDial })).rejects.toMatchObject({ code: 'DESTINATION_DENIED' });
  });
});

describe('somebody else on this machine', () => {
  it('can neither claim the name nor enrol', async () => {
    const here = await machine();
    const { port = 0 } = await open(here);
    const other = await aWorld({}, here.clock);
    const { key, certificate } = await enrolled(other.state, other.edge.port);
    const door = (servername: string, more: object) =>
      connectTls({ port, host: '127.0.0.1', servername, rejectUnauthorized: false, ...more });

    const link = door('connect.tunnel.localhost', { ALPNProtocols: [connectorAlpn.http2], key, cert: certificate });
    const bytes: Buffer[] = [];
    link.on('data', (chunk: Buffer) => bytes.push(chunk)).on('error', () => {});
    await new Promise((resolve) => link.once('close', resolve));
    expect(Buffer.concat(bytes).toString('latin1').endsWith('foreign')).toBe(true);

    // There is no enrolment door: that name is a visitor's like any other, and gets the tunnel's own certificate.
    const enrolling = door('enroll.tunnel.localhost', {});
    await once(enrolling, 'secureConnect');
    expect(enrolling.getPeerX509Certificate()?.subjectAltName).toContain('everything-x7k2.tunnel.localhost');
    enrolling.destroy();
  });
});

describe('closing an embedded tunnel', () => {
  it('frees its port', async () => {
    const here = await machine();
    const opened = await open(here);
    const { port = 0 } = opened;
    await opened.close();
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await until(() => here.clock.pending === 0);
  });
});
