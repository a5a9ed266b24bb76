// What the server sent is what the agent gets: byte for byte, event by event, at the agent's pace.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { callHttp1, callHttp2, connectAgent2, openHttp1, type Answer } from '../support/agents.ts';
import {
  aGateway,
  bodyOf,
  json,
  mcpHeaders,
  post,
  request,
  resultOf,
  sse,
  type GatewayWorld,
} from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

const call = request('tools/call', { name: 'echo' });
const callBytes = Buffer.from(JSON.stringify(call));

const oddJson = '{ "id" : 1,\t"result":{"b":1.0,"a":1e400,"\\u0061":"\\/","ü":"\\ud800"} ,\r\n"jsonrpc":"2.0"}\n\n';
const oddSse =
  '\uFEFF: comment\r\n\r\nretry: 10\rid: 1\rdata: {"jsonrpc":"2.0",\rdata: "method":"notifications/x"}\r\rdata\n\nfoo: bar\n' +
  'event: message\ndata:{"jsonrpc":"2.0","id":1,"result":{}}\n\n:\n\n: trailing words without an end';

describe('bytes', () => {
  it('of an odd JSON answer pass as they are, over both HTTP versions', async () => {
    const world = await aGateway({ answer: () => json(oddJson) });
    for (const answer of await both(world)) {
      expect(answer.body.toString()).toBe(oddJson);
      expect(answer.headers['content-length']).toBe(`${Buffer.byteLength(oddJson)}`);
    }
    expect(world.rows()[0]).toMatchObject({ status: 'ok', responseBytes: Buffer.byteLength(oddJson) });
  });

  it('that are no JSON and no text pass as they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));
    const world = await aGateway({ answer: () => ({ ...json('{}'), headers: {}, body: bodyOf([bytes]) }) });
    for (const answer of await both(world)) expect(answer.body.equals(bytes)).toBe(true);
  });

  it.each(['POST', 'GET'])('of an event stream pass as they are on %s, wherever they are cut', async (method) => {
    const whole = Buffer.from(oddSse);
    let size = 1;
    const world = await aGateway({ answer: () => sse(bodyOf(pieces(whole, size))) });
    for (; size <= whole.length; size = size * 3 + 1) {
      const headers = mcpHeaders(world.token);
      const body = method === 'POST' ? { body: callBytes } : {};
      const answer = await callHttp1(world.target, { method, path: '/mcp', headers, ...body });
      expect(answer.body.toString(), `in pieces of ${size}`).toBe(oddSse);
    }
  });

  it('of any event stream pass as they are, however they are cut', async () => {
    const world = await aGateway({ policy: { limits: { requestsPerMinute: 1_000_000 } } });
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const line = fc.oneof(
      fc.constantFrom(
        'data: {"jsonrpc":"2.0","id":1,"result":{}}',
        ': x',
        '',
        'id: 7',
        'event: ping',
        'data:',
        '\uFEFF',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    );
    const stream = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r', '')), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(stream, fc.array(fc.nat(30), { maxLength: 20 }), fc.boolean(), async (lines, cuts, isGet) => {
        const bytes = Buffer.from(lines.flat().join(''));
        world.upstream.answer = () => sse(bodyOf(cut(bytes, cuts)));
        const headers = mcpHeaders(world.token);
        const sent = isGet ? { method: 'GET' } : { method: 'POST', body: callBytes };
        const answer = await callHttp2(session, { path: '/mcp', headers, ...sent });
        expect(answer.body.equals(bytes)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('of 64 MiB pass unchanged', { timeout: 60_000 }, async () => {
    expectNothingLeft();
    const block = Buffer.alloc(65_536, 0x61);
    const world = await aGateway({ answer: () => ({ ...json('{}'), headers: {}, body: bodyOf(times(1024, block)) }) });
    const expected = createHash('sha256')
      .update(Buffer.alloc(64 * 1024 * 1024, 0x61))
      .digest('hex');
    for (const answer of await both(world)) {
      expect(createHash('sha256').update(answer.body).digest('hex')).toBe(expected);
    }
    expect(world.rows()[0]).toMatchObject({ responseBytes: 64 * 1024 * 1024 });
    expect(world.rows()[0]?.flags).toContain('truncated');
  });

  it('of a request reach the server as they are', async () => {
    const world = await aGateway();
    const odd = '{ "method" :"tools/call","params":{"name":"\\u0065cho","x":1.0},\t"jsonrpc":"2.0", "id":1}\n';
    await post(world, odd);
    expect(world.upstream.heard[0]?.body?.toString()).toBe(odd);
    expect(world.rows()[0]).toMatchObject({ name: 'echo', requestBytes: odd.length });
  });
});

describe('headers', () => {
  it('towards the server tell nothing of the agent’s way here, and hold no credential', async () => {
    const world = await aGateway();
    await post(world, call, {
      headers: {
        cookie: 'a=b',
        'x-forwarded-for': '1.2.3.4',
        forwarded: 'for=1.2.3.4',
        via: '1.1 x',
        referer: 'https://x',
        te: 'trailers',
        connection: 'keep-alive, x-hop',
        'x-hop': 'y',
        'sec-fetch-mode': 'cors',
        'mcp-protocol-version': '2025-11-25',
        'x-custom': 'kept',
      },
    });
    const headers = world.upstream.heard[0]?.headers;
    expect(headers).toEqual({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'x-custom': 'kept',
    });
  });

  it.each([
    'x-original-url',
    'x-original-uri',
    'x-original-host',
    'x-rewrite-url',
    'x-http-method',
    'x-http-method-override',
    'x-method-override',
    'x-host',
    'x-real-ip',
    'x-client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'x-cluster-client-ip',
    'x-forwarded',
    'x-forwarded-host',
    'x_forwarded_host',
    'x_http_method_override',
    'x-http_method-override',
    'mcp_session_id',
    'mcp-session_id',
    'mcp_tunnel_authorization',
  ])('never name another path, method or sender to the server: %s', async (name) => {
    const world = await aGateway();
    await post(world, call, { headers: { [name]: 'other', 'x-custom': 'kept' } });
    expect(world.upstream.heard[0]?.headers).toMatchObject({ 'x-custom': 'kept' });
    expect(world.upstream.heard[0]?.headers).not.toHaveProperty(name);
  });

  it('towards the agent pass, except those of the hop behind us', async () => {
    const odd = { 'x-custom': 'kept', connection: 'x-hop, close', 'x-hop': 'y', 'keep-alive': 'timeout=1' };
    const world = await aGateway({ answer: () => json({}, { ...odd, 'transfer-encoding': 'chunked' }) });
    for (const { status, headers } of await both(world)) {
      expect([status, headers['x-custom'], headers['x-hop']]).toEqual([200, 'kept', undefined]);
      expect(headers['keep-alive']).not.toBe('timeout=1');
    }
  });

  it.each([201, 204, 302, 400, 401, 418, 500, 503])(
    'the status %i of the server is that of the answer',
    async (status) => {
      const world = await aGateway({ answer: () => ({ status, headers: { location: 'http://127.0.0.1:1/' } }) });
      for (const answer of await both(world)) {
        expect([answer.status, answer.body.length]).toEqual([status, 0]);
        expect(answer.headers['location']).toBe('http://127.0.0.1:1/');
      }
      expect(world.rows()[0]).toMatchObject({ httpStatus: status, status: status < 400 ? 'ok' : 'error' });
    },
  );
});

describe('an event stream', () => {
  it('reaches the agent event by event: the first before the second is made', async () => {
    expectNothingLeft();
    const source = new PassThrough();
    const world = await aGateway({ answer: () => sse(source) });
    const signal = new AbortController();
    const response = await openHttp1(
      world.target,
      { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token), body: callBytes },
      signal.signal,
    );
    expect(response.statusCode).toBe(200);
    for (const data of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
      source.write(data);
      const [chunk] = (await once(response, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(data);
    }
    source.end();
    await once(response, 'end');
  });

  it('counts progress and notifications in the row of their call', async () => {
    const messages = [
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } },
      { jsonrpc: '2.0', method: 'notifications/message', params: { data: 'x' } },
      { jsonrpc: '2.0', id: 1, result: { content: [], isError: true } },
    ];
    const text = messages.map((message, index) => `id: e${index}\ndata: ${JSON.stringify(message)}\n\n`).join('');
    const world = await aGateway({ answer: () => sse(bodyOf([Buffer.from(text)])) });
    await post(world, call);
    await until(() => world.rows()[0]?.status === 'tool-error');
    expect(world.rows()).toHaveLength(1);
    expect(world.rows()[0]).toMatchObject({ kind: 'request', method: 'tools/call', name: 'echo', messages: 3 });
    expect(world.detail(world.rows()[0]).messages.map(({ eventId }) => eventId)).toEqual(['e0', 'e1', 'e2']);
  });
});

describe('an agent that never reads', () => {
  it.each(['HTTP/1.1', 'HTTP/2'])(
    'over %s holds little of what is sent to it, and slows nobody else',
    async (version) => {
      expectNothingLeft();
      let taken = 0;
      const block = Buffer.alloc(65_536, 0x61);
      const endless = (): Readable =>
        bodyOf(
          (function* () {
            for (;;) {
              taken += block.length;
              yield block;
            }
          })(),
        );
      const world = await aGateway({ answer: () => ({ ...json('{}'), headers: {}, body: endless() }) });
      const left = new AbortController();
      const session = connectAgent2(world.target);
      onTestFinished(() => session.destroy());
      const sent = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token), body: callBytes };
      if (version === 'HTTP/2') {
        const stream = session.request({ ':method': 'POST', ':path': '/mcp', ...sent.headers });
        stream.on('error', () => {}).end(callBytes);
        await once(stream, 'response');
      } else {
        const response = await openHttp1(world.target, sent, left.signal);
        response.on('error', () => {}).pause();
      }
      await until(async () => {
        const before = taken;
        world.upstream.answer = (heard) => resultOf(heard, {});
        // A call beside it, by which time anything that still wanted to be sent has been.
        for (let calls = 0; calls < 10; calls += 1) expect((await post(world, call)).status).toBe(200);
        return taken === before;
      });
      expect(taken).toBeLessThan(8 * 1024 * 1024);
      expect(world.rows()[0]).toMatchObject({ status: 'pending' });
      left.abort();
      session.destroy();
      await until(() => world.rows()[0]?.status === 'cancelled');
    },
  );
});

/** The same call over HTTP/1.1 and over HTTP/2. */
async function both(world: GatewayWorld): Promise<[Answer, Answer]> {
  const session = connectAgent2(world.target);
  const sent = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token), body: callBytes };
  try {
    return [await callHttp1(world.target, sent), await callHttp2(session, sent)];
  } finally {
    session.destroy();
  }
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function* cut(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let at = 0;
  for (const length of lengths) {
    yield bytes.subarray(at, at + length);
    at += length;
  }
  yield bytes.subarray(at);
}

function* times(count: number, block: Buffer): Generator<Buffer> {
  for (let index = 0; index < count; index += 1) yield block;
}
