// Every row of the table of failures, brought about by what really causes it, as an agent and as the developer see it.
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeKeyPair } from '../../src/certs/keyPair.ts';
import { systemClock, type Clock } from '../../src/core/clock.ts';
import { errorInfo, TunnelError, type ErrorCode } from '../../src/core/errors.ts';
import { failureOf, failures, type FailureCode } from '../../src/mcp/failures.ts';
import { HttpUpstream } from '../../src/upstream/httpUpstream.ts';
import { ReturningUpstream } from '../../src/upstream/returningUpstream.ts';
import { StdioUpstream } from '../../src/upstream/stdioUpstream.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { anAuthority } from '../support/certs.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { aGateway, post, request, type GatewayWorld } from '../support/gateway.ts';
import { until } from '../support/until.ts';

const call = request('tools/call', { name: 'write' }, 'mine');

async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

function at(url: string, more: { ca?: string; clock?: Clock } = {}): Upstream {
  const upstream = new HttpUpstream({ url, headers: {}, clock: systemClock, ...more });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** A listener that says `bytes` to whoever asks, and then does something to the connection. */
async function saying(bytes: string, then: (socket: Socket) => void = () => {}): Promise<Upstream> {
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write(bytes, () => then(socket));
    });
  });
  return at(`http://127.0.0.1:${await listening(server)}/mcp`);
}

async function overTls(options: { days?: number; name?: string; isTrusted?: boolean }): Promise<Upstream> {
  const { days = 1, name = 'localhost', isTrusted = true } = options;
  const authority = await anAuthority();
  const key = await makeKeyPair();
  const cert = authority.issueServer({ names: [name], publicKey: key.publicKey, days });
  const port = await listening(
    createHttpsServer({ key: key.privateKeyPem, cert }, (_, response) => response.end('{}')),
  );
  return at(`https://localhost:${port}/mcp`, isTrusted ? { ca: authority.certificatePem } : {});
}

const causes: [string, FailureCode, () => Upstream | Promise<Upstream>][] = [
  ['a name that nobody knows', 'DNS_NOT_FOUND', () => at('http://nobody.invalid/mcp')],
  ['a port where nobody listens', 'CONNECT_REFUSED', () => at('http://127.0.0.1:1/mcp')],
  ['an address off this machine', 'ADDRESS_DENIED', () => at('http://192.0.2.1/mcp')],
  ['a certificate that nobody vouches for', 'TLS_UNTRUSTED', () => overTls({ isTrusted: false })],
  ['a certificate for another name', 'TLS_WRONG_NAME', () => overTls({ name: 'other.localhost' })],
  ['a certificate that has expired', 'TLS_EXPIRED', () => overTls({ days: -0.000_1 })],
  [
    'plain HTTP where TLS is spoken',
    'TLS_FAILED',
    async () => at(`https://127.0.0.1:${await listening(createHttpServer())}/mcp`),
  ],
  ['a connection that is closed instead of answered', 'CONNECTION_CLOSED', () => saying('', (socket) => socket.end())],
  [
    'a connection that is reset instead of answered',
    'CONNECTION_CLOSED',
    () => saying('', (socket) => socket.resetAndDestroy()),
  ],
  [
    'a reset in the middle of the headers',
    'CONNECTION_CLOSED',
    () => saying('HTTP/1.1 200', (s) => s.resetAndDestroy()),
  ],
  ['something that is not HTTP', 'NOT_HTTP', () => saying('SSH-2.0-OpenSSH_9.6\r\n')],
  ['a header that is none', 'NOT_HTTP', () => saying('HTTP/1.1 200 OK\r\nno colon\r\n\r\n')],
  ['headers without end', 'NOT_HTTP', () => saying(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)],
  [
    'a chunk that is none',
    'ANSWER_BROKEN',
    () => saying('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}'),
  ],
  [
    'a body that is shorter than it said',
    'ANSWER_BROKEN',
    () => saying('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n', (s) => s.end()),
  ],
  [
    'a command that is not there',
    'SERVER_START',
    () => new StdioUpstream({ command: '/no/such/command', args: [], env: {}, cwd: '/' }),
  ],
];

describe('an agent whose server has', () => {
  it.each(causes)('%s is told so by %s, with its id', { timeout: 20_000 }, async (_, code, cause) => {
    const world = await aGateway({ behind: await cause() });
    const message = code === 'SERVER_START' ? request('initialize', { protocolVersion: '2025-06-18' }, 'mine') : call;
    const answer = await post(world, message);
    await expectFailure(world, code, answer);
  });

  it('an error of its own gets it untouched, and the row says whose it is', async () => {
    const body = '{ "jsonrpc":"2.0", "id":"mine", "error":{"code":-32099,"message":"mine alone"} }';
    const world = await aGateway({
      behind: await saying(`HTTP/1.1 418 Teapot\r\nX-Own: 1\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    });
    const answer = await post(world, call);
    expect([answer.status, answer.body.toString(), answer.headers['x-own']]).toEqual([418, body, '1']);
    expect(world.rows()[0]).toMatchObject({
      status: 'error',
      rpcCode: -32099,
      failure: { code: 'TARGET_HTTP', source: 'target_http' },
    });
  });

  it('been there before and is away gets 503 and when to try again', async () => {
    const server = createHttpServer((_, response) => response.setHeader('connection', 'close').end('{}'));
    const port = await listening(server);
    const clock = new FakeClock();
    const upstream = new ReturningUpstream(at(`http://127.0.0.1:${port}/mcp`), { clock, limits: { waitMs: 0 } });
    const world = await aGateway({ behind: upstream });
    expect((await post(world, call)).status).toBe(200);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    const answer = await post(world, call);
    server.listen(0);
    expect(answer.headers['retry-after']).toBe('1');
    await expectFailure(world, 'SERVER_AWAY', answer);
  });

  it('a listener that takes connections and says nothing: its owner is told after five seconds', async () => {
    const clock = new FakeClock();
    const server = createServer();
    const upstream = at(`http://127.0.0.1:${await listening(server)}/mcp`, { clock });
    const checking = upstream.check(new AbortController().signal).catch((error: unknown) => error);
    await once(server, 'connection');
    clock.advance(5_000);
    expect(failureOf(errorInfo(await checking))).toMatchObject({
      code: 'ANSWER_TIMEOUT',
      source: 'timeout',
      status: 504,
    });
  });
});

async function expectFailure(
  world: GatewayWorld,
  code: FailureCode,
  answer: { status: number; body: Buffer },
): Promise<void> {
  const { status, rpc, sentence, source, ...more } = failures[code];
  const data = 'retryable' in more ? { data: { retryable: true } } : {};
  const told = { jsonrpc: '2.0', id: 'mine', error: { code: rpc, message: sentence, ...data } };
  expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([status, told]);
  await until(() => world.rows().at(-1)?.status === 'failed');
  expect(world.rows().at(-1)).toMatchObject({ failure: { code, source }, rpcCode: rpc, httpStatus: status });
}

describe('the table of failures', () => {
  it('has a sentence for every row that we answer, and each sentence holds no place of this machine', () => {
    for (const { sentence, status, rpc } of Object.values(failures)) {
      expect(sentence).toMatch(/^\S.*[^.]$/);
      expect(sentence).not.toMatch(/ \/|\\|localhost|127\./);
      expect(Number.isInteger(status) && Number.isInteger(rpc)).toBe(true);
    }
  });

  it('never answers for a server that is down in a way that clients take for "not authorized"', () => {
    // MCP clients that probe with server/discover stop at 401 and 403, and retry nothing.
    for (const { status } of Object.values(failures)) expect([401, 403]).not.toContain(status);
  });

  it.each([
    ['UPSTREAM_EXITED', 'SERVER_EXITED'],
    ['UPSTREAM_PROTOCOL', 'NOT_MCP'],
    ['LIMIT', 'LIMIT_REACHED'],
    ['AUDIT_BROKEN', 'INTERNAL'],
    ['INTERNAL', 'INTERNAL'],
  ] satisfies [ErrorCode, FailureCode][])('takes %s, where nothing more is known, for %s', (code, failure) => {
    expect(failureOf(errorInfo(new TunnelError(code, 'x'))).code).toBe(failure);
  });

  it('believes no name of a failure that is not in it', () => {
    for (const name of ['toString', '__proto__', 'NO_SUCH', 7]) {
      expect(failureOf({ code: 'TIMEOUT', data: { failure: name } }).code).toBe('ANSWER_TIMEOUT');
    }
  });
});
