// Input that is wrong in ways that gatewayBodies, gatewayRefusals and gatewaySmuggling do not show: each has a status and a
// bounded cost, and nobody else notices.
import * as fc from 'fast-check';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { classifyBody } from '../../src/mcp/classify.ts';
import { HttpServer } from '../../src/upstream/httpServer.ts';
import { callHttp2, connectAgent2, openHttp1 } from '../support/agents.ts';
import { aGateway, hostname, mcpHeaders, post, request, resultOf, sse, type GatewayWorld } from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { aStreamableServer } from '../support/sdkServers.ts';
import { until } from '../support/until.ts';

const initialize = request('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'agent', version: '1' },
});

async function inFrontOfSdk(): Promise<GatewayWorld & { session: string }> {
  const { port } = await aStreamableServer();
  const upstream = new HttpServer({ url: `http://localhost:${port}/mcp`, headers: {}, clock: systemClock });
  onTestFinished(() => upstream.close());
  const world = await aGateway({ behind: upstream });
  const begun = await post(world, initialize);
  return { ...world, session: String(begun.headers['mcp-session-id']) };
}

describe('what a server of the SDK refuses', () => {
  it.each([
    ['an Accept that names no JSON', { accept: 'text/html' }, 406, -32000],
    ['an Accept that names no event stream', { accept: 'application/json' }, 406, -32000],
    ['a revision that nobody speaks', { 'mcp-protocol-version': '1999-01-01' }, 400, -32000],
    ['no session', { 'mcp-session-id': undefined }, 400, -32000],
  ])('%s is refused in its own words', async (_, headers, status, code) => {
    const world = await inFrontOfSdk();
    const all = { 'mcp-session-id': world.session, 'mcp-protocol-version': '2025-11-25', ...headers };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const answer = await post(world, request('tools/list'), { headers: sent as Record<string, string> });
    expect([answer.status, (JSON.parse(answer.body.toString()) as { error: { code: number } }).error.code]).toEqual([
      status,
      code,
    ]);
    expect(world.rows().at(-1)?.failure).toEqual({ code: 'TARGET_HTTP', source: 'target_http' });
  });

  it('a response to nothing, and one to something else, is the server’s to ignore; the session lives', async () => {
    const world = await inFrontOfSdk();
    const headers = { 'mcp-session-id': world.session, 'mcp-protocol-version': '2025-11-25' };
    for (const body of [
      { jsonrpc: '2.0', id: 'never asked', result: {} },
      { jsonrpc: '2.0', id: 99, error: { code: -1, message: 'no' } },
      { jsonrpc: '2.0', id: null, error: { code: -1, message: 'no' } },
    ]) {
      expect([202, 400]).toContain((await post(world, body, { headers })).status);
    }
    expect((await post(world, request('tools/list'), { headers })).status).toBe(200);
  });
});

describe('an agent that', () => {
  it('uses one id for two calls at once gets the answer of each where it asked', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, { echo: sent.body!.toString() }) });
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) => post(world, request('tools/call', { name }, 'same'))),
    );
    expect(one!.body.toString()).toContain('\\"one\\"');
    expect(two!.body.toString()).toContain('\\"two\\"');
  });

  it('sends 10,000 notifications in a burst is slowed down by its limit; others and the table of rows are not', async () => {
    expectNothingLeft();
    const world = await aGateway({ policy: { limits: { requestsPerMinute: 600 } } });
    const session = connectAgent2(world.target);
    const headers = mcpHeaders(world.token);
    const statuses = new Map<number, number>();
    for (let sent = 0; sent < 10_000; sent += 100) {
      const burst = Array.from({ length: 100 }, (_, at) =>
        callHttp2(session, {
          method: 'POST',
          path: '/mcp',
          headers,
          body: Buffer.from(`{"jsonrpc":"2.0","method":"notifications/n","params":{"n":${sent + at}}}`),
        }),
      );
      for (const { status } of await Promise.all(burst)) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    session.destroy();
    // A limit per minute refills while they come.
    expect(statuses.get(202)).toBeGreaterThanOrEqual(600);
    expect(statuses.get(202)).toBeLessThan(2_000);
    expect(statuses.get(429)).toBe(10_000 - statuses.get(202)!);
    expect(world.upstream.heard).toHaveLength(statuses.get(202)!);
    const other = await world.grantFor({});
    expect((await post({ ...world, token: other.token }, { jsonrpc: '2.0', method: 'notifications/n' })).status).toBe(
      202,
    );
  }, 60_000);

  it.each([
    ['one header of 100,000 bytes', `X-Long: ${'x'.repeat(100_000)}\r\n`],
    ['10,000 headers', Array.from({ length: 10_000 }, (_, at) => `X-${at}: y\r\n`).join('')],
  ])('sends %s is refused before anybody reads on', async (_, header) => {
    const world = await aGateway();
    const socket = connect({ host: '127.0.0.1', port: world.target.port, servername: hostname, ca: world.target.ca });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.on('error', () => {});
    socket.write(`POST /mcp HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${world.token}\r\n${header}\r\n`);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(socket, 'close');
    // What was not read resets the connection, which may be faster than the answer.
    if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 431 /);
    expect(world.upstream.heard).toEqual([]);
  });

  it('sends chunks that are none ends its own connection and nothing else', async () => {
    const world = await aGateway();
    const socket = connect({ host: '127.0.0.1', port: world.target.port, servername: hostname, ca: world.target.ca });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.on('error', () => {}).resume();
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${world.token}\r\n` +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"js\r\nGARBAGE\r\n',
    );
    await once(socket, 'close');
    await until(() => world.unanswered() === 0);
    expect(world.upstream.heard).toEqual([]);
    expect((await post(world, { jsonrpc: '2.0', method: 'notifications/n' })).status).toBe(202);
  });
});

describe('a server whose event stream never ends its line', () => {
  const size = 80 * 1024 * 1024;

  it('is read at the pace of its agent, which gets every byte; the row says that it was too long to look at', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'x');
    const body = Readable.from(
      (function* () {
        yield Buffer.from('data: ');
        for (let at = 0; at < size; at += piece.length) yield piece;
      })(),
      { objectMode: false },
    );
    const world = await aGateway({ answer: () => sse(body) });
    const sent = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token) };
    const response = await openHttp1(world.target, {
      ...sent,
      body: Buffer.from(JSON.stringify(request('tools/list'))),
    });
    let bytes = 0;
    for await (const chunk of response) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(size + 6);
    await until(() => world.rows()[0]?.status !== 'pending');
    expect(world.rows()[0]?.flags).toContain('truncated');
  }, 60_000);

  it('is not passed to an agent from whom something is hidden, who hears so', async () => {
    const source = new PassThrough();
    const world = await aGateway({ answer: () => sse(source) });
    const { token } = await world.grantFor({ tools: ['a'] });
    const answer = post({ ...world, token }, request('tools/list'));
    const piece = Buffer.alloc(1024 * 1024, 'x');
    source.on('error', () => {}).write('data: ');
    const wake = { up: (): void => {} };
    source.on('drain', () => wake.up()).on('close', () => wake.up());
    for (let at = 0; at < size && !source.destroyed; at += piece.length) {
      if (!source.write(piece)) await new Promise<void>((resolve) => (wake.up = resolve));
    }
    expect((await answer).body.toString()).toContain('"error"');
  }, 60_000);
});

describe('any interleaving of bodies, however they are cut', () => {
  it('brings each to the server byte for byte or to nobody, as its own bytes decide', { timeout: 60_000 }, async () => {
    const world = await aGateway({
      policy: { limits: { requestsPerMinute: 1_000_000, maxConcurrent: 64 } },
      answer: (sent) => resultOf(sent, {}),
    });
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const odd = fc.constantFrom(
      '{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":1.0e+2,"big":123456789012345678901234567890}}',
      '{ "jsonrpc" : "2.0","id":"\\u0041","method":"x", "params":{"😀":"\\ud83d\\ude00"} }\n',
      '{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}',
      '\uFEFF{"jsonrpc":"2.0","id":1,"method":"x"}',
      '{"jsonrpc":"2.0","id":1,"method":"x","params":{"s":"\\ud800"}}',
      '{"jsonrpc":"2.0","id":1e999,"method":"x"}',
      `${'['.repeat(500)}${']'.repeat(500)}`,
      '[{"jsonrpc":"2.0","id":1,"method":"x"},{"jsonrpc":"2.0","method":"notifications/y"}]',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(odd, fc.array(fc.nat(40), { maxLength: 6 })), { maxLength: 6 }),
        async (sent) => {
          world.upstream.heard.length = 0;
          const answers = await Promise.all(
            sent.map(([text, cuts]) =>
              callHttp2(session, {
                method: 'POST',
                path: '/mcp',
                headers: mcpHeaders(world.token),
                body: Readable.from(piecesOf(Buffer.from(text), cuts), { objectMode: false }),
              }),
            ),
          );
          const taken = sent
            .filter(([text]) => classifyBody(Buffer.from(text)).kind === 'messages')
            .map(([text]) => text);
          expect(world.upstream.heard.map(({ body }) => body!.toString()).sort()).toEqual(taken.sort());
          expect(answers.filter(({ status }) => status === 400)).toHaveLength(sent.length - taken.length);
        },
      ),
      { numRuns: 40 },
    );
  });
});

async function* piecesOf(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
    await new Promise(setImmediate);
  }
}
