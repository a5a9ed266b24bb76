// Behind a load balancer: it says with a PROXY header whose a connection is, and nobody else may.
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import { parseNetwork } from '../../src/core/network.ts';
import type { EdgeLimits } from '../../src/edge/edgeLimits.ts';
import { callHttp1 } from '../support/agents.ts';
import { haproxy } from '../support/haproxy.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { proxyHeader } from '../support/proxyHeader.ts';
import { aWorld, enrolled, openTunnel, type World } from '../support/relay.ts';
import { until } from '../support/until.ts';

/** Where the balancer connects from. */
const balancer = '127.0.0.9';
const hello: Serve = (_request, response, { visitor }) => void (response as NodeJS.WritableStream).end(visitor);

async function world(limits: Partial<EdgeLimits> = {}): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld({ limits, proxies: [parseNetwork(`${balancer}/32`)] }, clock);
}

function dial(here: World, from: string): Socket {
  const socket = connectTcp({ port: here.edge.port, host: '127.0.0.1', localAddress: from });
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => {});
}

/** What the server behind it was told of the visitor; rejects when the edge hangs up. */
async function visit(here: World, hostname: string, socket: Socket): Promise<string> {
  const tls = connectTls({ socket, servername: hostname, ca: here.authority.certificatePem });
  tls.write(`GET / HTTP/1.1\r\nhost: ${hostname}\r\nconnection: close\r\n\r\n`);
  let answer = '';
  for await (const chunk of tls) answer += String(chunk);
  if (answer === '') throw new Error('the edge hung up');
  return /[\d.:[\]a-f]+:\d+$/.exec(answer.trim())?.[0] ?? answer;
}

const source = { host: '192.0.2.7', port: 40_000 };

describe('a connection from the balancer', () => {
  it('is the visitor’s that its header names: for the server, for who may come in, and for the caps', async () => {
    const here = await world({ maxConnectionsPerAddress: 1 });
    const admission = { networks: ['192.0.2.0/24', '2001:db8::/32'] };
    const { hostname } = await openTunnel(here, hello, { admission, links: 1 });
    const first = dial(here, balancer);
    first.write(proxyHeader({ source }));
    expect(await visit(here, hostname, first)).toBe('192.0.2.7:40000');
    await until(() => first.closed);

    const v6 = dial(here, balancer);
    v6.write(proxyHeader({ source: { host: '2001:db8::7', port: 5 }, tlv: Buffer.from([1, 0, 1, 65]) }));
    expect(await visit(here, hostname, v6)).toBe('[2001:db8::7]:5');

    const foreign = dial(here, balancer);
    foreign.write(proxyHeader({ source: { host: '198.51.100.7', port: 5 } }));
    await expect(visit(here, hostname, foreign)).rejects.toThrow();
    expect(here.edge.counters.notAdmitted).toBe(1);

    // Two of one visitor at a time are over its cap, however many the balancer has open.
    const holding = dial(here, balancer);
    holding.write(proxyHeader({ source }));
    connectTls({ socket: holding, servername: hostname, ca: here.authority.certificatePem }).on('error', () => {});
    await until(() => here.edge.counters.visitors === 3);
    const second = dial(here, balancer);
    second.write(proxyHeader({ source }));
    await expect(visit(here, hostname, second)).rejects.toThrow();
    expect(here.edge.counters.overConnectionCap).toBe(1);
  });

  it('may come one byte at a time', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, hello);
    const socket = dial(here, balancer).setNoDelay(true);
    for (const byte of proxyHeader({ source, tlv: Buffer.alloc(20) })) {
      await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
    }
    expect(await visit(here, hostname, socket)).toBe('192.0.2.7:40000');
  });

  it('leads to the connectors’ door as well', async () => {
    const here = await world();
    const front = createServer((near) => {
      const far = dial(here, balancer);
      far.write(proxyHeader({ source }));
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy()).on('close', () => far.destroy());
    });
    await once(front.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void front.close());
    const identity = await enrolled(here.state, (front.address() as AddressInfo).port);
    const { hostname } = await openTunnel(here, hello, { identity });
    expect(await visit(here, hostname, dial(here, '127.0.0.1'))).toMatch(/^127\.0\.0\.1:/);
  });

  it('is the balancer’s own where it does not know', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, hello, { admission: { networks: [`${balancer}/32`] } });
    const socket = dial(here, balancer);
    socket.write(proxyHeader({ family: 0 }));
    expect(await visit(here, hostname, socket)).toMatch(/^127\.0\.0\.9:/);
  });

  it.each<[string, Uint8Array]>([
    ['no header', Buffer.from('160301020001000101', 'hex')],
    ['version 1', Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 40000 443\r\n')],
    ['one that is cut', proxyHeader({ source }).subarray(0, 20)],
  ])('is closed without a word: %s', async (_what, bytes) => {
    const here = await world({ helloMs: 200 });
    const socket = dial(here, balancer);
    socket.write(bytes);
    await once(socket.resume(), 'close');
    expect(socket.bytesRead).toBe(0);
    expect(here.edge.counters).toMatchObject({ badProxyHeader: 1, noHello: 0, notTls: 0 });
  });

  it('is closed without a word also where it begins with a whole hello', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, hello);
    await expect(visit(here, hostname, dial(here, balancer))).rejects.toThrow();
    expect(here.edge.counters).toMatchObject({ badProxyHeader: 1, visitors: 0 });
  });

  it('that only looks whether somebody is there is counted as that', async () => {
    const here = await world();
    const socket = dial(here, balancer);
    socket.end(proxyHeader({ source, local: true }));
    await once(socket.resume(), 'close');
    expect(here.edge.counters).toMatchObject({ balancerChecks: 1, noHello: 0 });
  });
});

it('a header of anybody else is no TLS', async () => {
  const here = await world();
  const { hostname } = await openTunnel(here, hello);
  const socket = dial(here, '127.0.0.8');
  socket.write(proxyHeader({ source }));
  await expect(visit(here, hostname, socket)).rejects.toThrow();
  expect(here.edge.counters).toMatchObject({ notTls: 1, visitors: 0 });
});

it('haproxy in front tells whose each connection is, and its checks are answered', { timeout: 120_000 }, async () => {
  const here = await world();
  const { hostname } = await openTunnel(here, hello, { admission: { networks: ['127.0.0.5/32'] } });
  const check = 'send-proxy-v2 check check-send-proxy inter 100ms';
  const port = await haproxy([`source ${balancer}`, `server edge 127.0.0.1:${here.edge.port} ${check}`]);
  const from = (address: string) => {
    const tls = { localAddress: address } as ConnectionOptions;
    return callHttp1({ hostname, port, ca: here.authority.certificatePem, tls });
  };
  expect((await from('127.0.0.5')).body.toString()).toMatch(/^127\.0\.0\.5:\d+$/);
  await expect(from('127.0.0.6')).rejects.toThrow();
  expect(here.edge.counters.notAdmitted).toBe(1);
  await until(() => here.edge.counters.balancerChecks > 0);
});
