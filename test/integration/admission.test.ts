// Whose addresses a route lets in: judged at the edge, before a byte of the visitor's TLS is answered.
import { execFile } from 'node:child_process';
import { rename, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import type { Admission } from '../../src/core/admission.ts';
import { AsnBook } from '../../src/edge/asnBook.ts';
import type { EdgeOptions } from '../../src/edge/edge.ts';
import { callHttp1, openHttp1, type Target } from '../support/agents.ts';
import { asnFile } from '../support/asnFile.ts';
import { debianPackages } from '../support/debianPackages.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, enrolled, openTunnel, type World } from '../support/relay.ts';
import { Tap } from '../support/tap.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

const serve: Serve = (request, response) => {
  if (request.url === '/stay') return void (response as NodeJS.WritableStream).write('begun');
  (response as NodeJS.WritableStream).end('hello');
};

async function world(options: Partial<EdgeOptions> = {}): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld(options, clock);
}

/** An agent that comes from another address of this machine. */
function from(address: string, { edge, authority }: World, hostname: string, port = edge.port): Target {
  const tls = { localAddress: address } as ConnectionOptions;
  return { hostname, port, ca: authority.certificatePem, tls };
}

async function asns(path: string): Promise<AsnBook> {
  const book = await AsnBook.open({ path, onProblem: () => {}, checkMs: 20 });
  onTestFinished(() => book.close());
  return book;
}

describe('a route that names networks', () => {
  it('lets in who is in one of them, and answers others not a byte', async () => {
    const here = await world();
    const admission = { networks: ['127.0.0.2/32', '127.1.0.0/16'] };
    const { hostname } = await openTunnel(here, serve, { admission });
    expect((await callHttp1(from('127.0.0.2', here, hostname))).body.toString()).toBe('hello');
    expect((await callHttp1(from('127.1.2.3', here, hostname))).body.toString()).toBe('hello');

    const socket = connectTcp({ port: here.edge.port, host: '127.0.0.1' });
    connectTls({ socket, servername: hostname, rejectUnauthorized: false }).on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    expect(socket.bytesWritten).toBeGreaterThan(100); // Its hello.
    expect(socket.bytesRead).toBe(0);
    expect(here.edge.counters).toMatchObject({ notAdmitted: 1, visitors: 2 });
  });

  it('of IPv6 alone lets in nobody over IPv4', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, serve, { admission: { networks: ['::/0'] } });
    await expect(callHttp1(from('127.0.0.1', here, hostname))).rejects.toThrow();
    expect(here.edge.counters.notAdmitted).toBe(1);
  });

  it('lets in IPv4 visitors that a dual-stack socket shows as IPv6', async () => {
    const here = await world({ listen: { host: '::', port: 0 } });
    const { hostname } = await openTunnel(here, serve, { admission: { networks: ['127.0.0.2/32'] } });
    expect((await callHttp1(from('127.0.0.2', here, hostname))).body.toString()).toBe('hello');
    await expect(callHttp1(from('127.0.0.3', here, hostname))).rejects.toThrow();
  });

  it('is not kept busy by those whom it does not let in', async () => {
    const here = await world({ limits: { visitorBurst: 1, visitorsPerSecond: 0 } });
    const { hostname } = await openTunnel(here, serve, { admission: { networks: ['127.0.0.2/32'] } });
    for (let stranger = 0; stranger < 5; stranger += 1) {
      await expect(callHttp1(from('127.0.0.3', here, hostname))).rejects.toThrow();
    }
    expect((await callHttp1(from('127.0.0.2', here, hostname))).status).toBe(200);
  });

  it('may change them while it is open: all of its links say so, and who may not stay is cut off', async () => {
    const here = await world();
    const open = await openTunnel(here, serve, { admission: { networks: ['127.0.0.0/8'] } });
    await until(() => here.edge.routes()[0]?.links === open.links?.wanted);
    const stays = await openHttp1(from('127.0.0.2', here, open.hostname), { path: '/stay' });
    const leaves = await openHttp1(from('127.0.0.3', here, open.hostname), { path: '/stay' });
    const hungUp = (response: IncomingMessage) => new Promise((resolve) => response.once('error', resolve).resume());
    const left = hungUp(leaves);

    await open.letIn?.({ networks: ['127.0.0.2/32'] });
    await left;
    expect(here.edge.counters.notAdmitted).toBe(1);
    await expect(callHttp1(from('127.0.0.3', here, open.hostname))).rejects.toThrow();
    expect((await callHttp1(from('127.0.0.2', here, open.hostname))).status).toBe(200);
    expect(stays.closed).toBe(false);
    stays.destroy();

    await open.letIn?.(undefined);
    expect((await callHttp1(from('127.0.0.3', here, open.hostname))).status).toBe(200);
  });

  it('has them again when its links were cut and have come back', async () => {
    const here = await world();
    const admission: Admission = { networks: ['127.0.0.2/32'] };
    const tap = await Tap.to(here.edge.port);
    onTestFinished(() => tap.close());
    const identity = await enrolled(here.state, tap.port);
    const open = await openTunnel(here, serve, { admission, identity, random: () => 0 });
    await open.letIn?.({ networks: ['127.0.0.3/32'] });
    tap.cut();
    await until(() => here.edge.routes().length === 0);
    await until(
      async () => (await callHttp1(from('127.0.0.3', here, open.hostname)).catch(() => undefined))?.status === 200,
    );
    await expect(callHttp1(from('127.0.0.2', here, open.hostname))).rejects.toThrow();
  });

  it('lets an authority look whether the name is ours where that was asked for, and nobody by saying so', async () => {
    const here = await world({ limits: { challengeBurst: 2, challengesPerSecond: 0 } });
    const networks = ['127.0.0.2/32'];
    const strict = await openTunnel(here, serve, { admission: { networks } });
    const looked = await openTunnel(here, serve, {
      admission: { networks, challenges: true },
      label: 'looked-at',
      instance: 'instance-2',
    });
    /** Whether it was handed to the tunnel's own end, which has no proof just now and answers with an alert at most. */
    const heard = async (hostname: string, ...ALPNProtocols: string[]): Promise<boolean> => {
      const before = here.edge.counters.visitors;
      const socket = connectTcp({ port: here.edge.port, host: '127.0.0.1' });
      connectTls({ socket, servername: hostname, rejectUnauthorized: false, ALPNProtocols }).on('error', () => {});
      await new Promise((resolve) => socket.once('close', resolve));
      return here.edge.counters.visitors > before;
    };
    expect(await heard(strict.hostname, 'acme-tls/1')).toBe(false);
    expect(await heard(looked.hostname, 'acme-tls/1', 'http/1.1')).toBe(false);
    expect(await heard(looked.hostname)).toBe(false);
    expect(await heard(looked.hostname, 'acme-tls/1')).toBe(true);
    expect(await heard(looked.hostname, 'acme-tls/1')).toBe(true);
    expect(await heard(looked.hostname, 'acme-tls/1')).toBe(false); // Over their rate.
    await expect(
      callHttp1({ ...from('127.0.0.1', here, looked.hostname), tls: { ALPNProtocols: ['acme-tls/1'] } }),
    ).rejects.toThrow(); // Nobody is served over it.
  });

  it('is refused with the place when one of them is none', async () => {
    const here = await world();
    const wrong = { networks: ['127.0.0.0/8', '127.0.0.1/8'] };
    await expect(openTunnel(here, serve, { admission: wrong })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('admission.networks[1]'),
    });
    const open = await openTunnel(here, serve, { admission: { networks: ['127.0.0.2/32'] } });
    await expect(open.letIn?.(wrong)).rejects.toMatchObject({ code: 'USAGE' });
    expect((await callHttp1(from('127.0.0.2', here, open.hostname))).status).toBe(200); // As before.
    await expect(callHttp1(from('127.0.0.1', here, open.hostname))).rejects.toThrow();
  });
});

describe('a route that names autonomous systems', () => {
  it('lets in who belongs to one of them, by a file that is read anew when it changes', async () => {
    const path = join(await temporaryFolder(), 'asn.mmdb');
    await writeFile(path, asnFile({ '127.0.0.2/32': 64_500, '127.0.0.3/32': 64_501, '2001:db8::/32': 64_500 }));
    const here = await world({ asns: await asns(path) });
    const { hostname } = await openTunnel(here, serve, { admission: { asns: [64_500] } });
    expect((await callHttp1(from('127.0.0.2', here, hostname))).status).toBe(200);
    await expect(callHttp1(from('127.0.0.3', here, hostname))).rejects.toThrow();
    await expect(callHttp1(from('127.0.0.4', here, hostname))).rejects.toThrow(); // Nobody's.

    await writeFile(`${path}.new`, asnFile({ '127.0.0.3/32': 64_500 }));
    await rename(`${path}.new`, path);
    await until(
      async () => (await callHttp1(from('127.0.0.3', here, hostname)).catch(() => undefined))?.status === 200,
    );
    await expect(callHttp1(from('127.0.0.2', here, hostname))).rejects.toThrow();
  });

  it('is refused by an edge that cannot tell them', async () => {
    const here = await world();
    const refused = openTunnel(here, serve, { admission: { asns: [64_500] } });
    await expect(refused).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('--asn-db') });
  });

  it('goes on with what was read when the file breaks, and such a file is refused at the start', async () => {
    const path = join(await temporaryFolder(), 'asn.mmdb');
    const whole = asnFile({ '127.0.0.0/8': 64_500 });
    await writeFile(path, whole);
    const problems: string[] = [];
    const book = await AsnBook.open({ path, onProblem: (sentence) => problems.push(sentence), checkMs: 20 });
    onTestFinished(() => book.close());
    for (const broken of [whole.subarray(0, 40), Buffer.from('no database'), Buffer.alloc(0)]) {
      problems.length = 0;
      await writeFile(path, broken);
      await until(() => problems.length > 0);
      expect(book.asnOf('127.0.0.1')).toBe(64_500);
      await expect(AsnBook.open({ path, onProblem: () => {} })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(path),
      });
    }
  });

  it('reads the file as MaxMind’s own tool does', async () => {
    await debianPackages('mmdb-bin');
    const path = join(await temporaryFolder(), 'asn.mmdb');
    const known = { '192.0.2.0/24': 64_500, '198.51.100.7/32': 4_294_967_295, '2001:db8::/32': 64_501 };
    await writeFile(path, asnFile(known));
    const book = await asns(path);
    const field = 'autonomous_system_number';
    for (const address of ['192.0.2.9', '198.51.100.7', '198.51.100.8', '2001:db8::1', '2001:db9::1']) {
      const { stdout } = await promisify(execFile)('mmdblookup', ['--file', path, '--ip', address, field]).catch(
        (error: { stdout: string }) => error,
      );
      const [, asn] = /(\d+) <uint32>/.exec(stdout) ?? [];
      expect(book.asnOf(address), address).toBe(asn === undefined ? undefined : Number(asn));
    }
  });
});
