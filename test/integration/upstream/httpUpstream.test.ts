// HTTP upstreams as they come: bytes untouched in both directions, streams as they flow, and every way of not answering.
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { HttpUpstream, type HttpUpstreamOptions } from '../../../src/upstream/httpUpstream.ts';
import type { UpstreamRequest, UpstreamResponse } from '../../../src/upstream/upstream.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { until } from '../../support/until.ts';

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return (server.address() as AddressInfo).port;
}

function upstreamTo(url: string, options: Partial<HttpUpstreamOptions> = {}): HttpUpstream {
  const upstream = new HttpUpstream({ url, headers: {}, clock: systemClock, ...options });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** A listener of the test; what it does takes as long as it takes. */
type Listener = (incoming: IncomingMessage, response: ServerResponse) => unknown;

async function serving(listener: Listener, options: Partial<HttpUpstreamOptions> = {}): Promise<HttpUpstream> {
  return upstreamTo(
    `http://localhost:${await listening(createHttpServer((incoming, response) => void listener(incoming, response)))}/mcp?key=1`,
    options,
  );
}

const request = (rest: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  method: 'POST',
  headers: {},
  messages: [],
  era: 'legacy',
  principal: 'g_1',
  signal: new AbortController().signal,
  ...rest,
});

async function textOf({ body }: UpstreamResponse): Promise<string> {
  let text = '';
  for await (const chunk of body ?? []) text += String(chunk);
  return text;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('a request', () => {
  it('arrives byte for byte, at the configured path, with the configured authority as Host', async () => {
    expectNothingLeft();
    const body = Buffer.from([0x7b, 0xff, 0x00, 0x0d, 0x0a, 0x7d]);
    let seen:
      | { method?: string | undefined; url?: string | undefined; headers: IncomingMessage['headers']; body: Buffer }
      | undefined;
    const upstream = await serving(async (incoming, response) => {
      seen = { method: incoming.method, url: incoming.url, headers: incoming.headers, body: await bodyOf(incoming) };
      response.end('{}');
    });
    const headers = {
      'content-type': 'application/json',
      'content-length': '999',
      'mcp-session-id': 'abc',
      'mcp-method': 'tools/call',
      'mcp-param-region': '=?base64?w6Q=?=',
      'last-event-id': 'x',
      traceparent: '00-1-2-01',
      host: 'public.example.com',
      connection: 'x-hop, close',
      'x-hop': 'dropped',
      'keep-alive': 'timeout=5',
      te: 'trailers',
      expect: '100-continue',
      'accept-encoding': 'gzip, br',
    };
    await textOf(await upstream.forward(request({ headers, body })));
    expect(seen).toMatchObject({ method: 'POST', url: '/mcp?key=1', body });
    expect(seen?.headers).toMatchObject({
      host: expect.stringMatching(/^localhost:\d+$/) as string,
      'accept-encoding': 'identity',
      'content-length': '6',
      'mcp-session-id': 'abc',
      'mcp-method': 'tools/call',
      'mcp-param-region': '=?base64?w6Q=?=',
      'last-event-id': 'x',
      traceparent: '00-1-2-01',
    });
    for (const name of ['x-hop', 'te', 'expect', 'transfer-encoding', 'origin', 'cookie'])
      expect(seen?.headers).not.toHaveProperty(name);
  });

  it('of the newer era passes through unharmed, and so does its stream', async () => {
    const sent =
      '{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}';
    const events = [
      'event: message\ndata: {"method":"notifications/subscriptions/acknowledged"}\n\n',
      ': ping\n\n',
      'data: {"id":"s","result":{}}\r\n\r\n',
    ];
    let heard = '';
    const upstream = await serving(async (incoming, response) => {
      heard = (await bodyOf(incoming)).toString();
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
      for (const event of events) response.write(event);
      response.end();
    });
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' };
    const response = await upstream.forward(request({ headers, body: Buffer.from(sent) }));
    expect(response.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    expect(await textOf(response)).toBe(events.join(''));
    expect(heard).toBe(sent);
  });

  it('carries the configured headers, which win over the agent’s', async () => {
    let seen: IncomingMessage['headers'] = {};
    const upstream = await serving(
      (incoming, response) => {
        seen = incoming.headers;
        response.end();
      },
      { headers: { Authorization: 'Bearer ours', 'X-Key': 'k' } },
    );
    await upstream.forward(request({ headers: { authorization: 'Bearer theirs', 'x-key': 'theirs' } }));
    expect(seen).toMatchObject({ authorization: 'Bearer ours', 'x-key': 'k' });
  });
});

describe('an answer', () => {
  it.each([200, 202, 204, 400, 401, 404, 405, 406, 409, 413, 415, 429, 500, 503])(
    'with status %i is passed on as it is',
    async (status) => {
      expectNothingLeft();
      const isEmpty = status === 202 || status === 204;
      const upstream = await serving((_incoming, response) => {
        response.writeHead(status, { 'www-authenticate': 'Bearer', 'mcp-session-id': 'S-1' });
        response.end(isEmpty ? undefined : '{"error":1}');
      });
      const response = await upstream.forward(request());
      expect(response.status).toBe(status);
      expect(response.headers).toMatchObject({ 'www-authenticate': 'Bearer', 'mcp-session-id': 'S-1' });
      expect(response.body === undefined).toBe(isEmpty);
      expect(await textOf(response)).toBe(isEmpty ? '' : '{"error":1}');
    },
  );

  it('that redirects is passed on and never followed', async () => {
    let calls = 0;
    const upstream = await serving((_incoming, response) => {
      calls += 1;
      response.writeHead(307, { location: 'http://169.254.169.254/' }).end();
    });
    const response = await upstream.forward(request());
    expect([response.status, response.headers['location'], calls]).toEqual([307, 'http://169.254.169.254/', 1]);
  });

  it('loses only what belongs to this hop', async () => {
    const upstream = await serving((_incoming, response) => {
      response.writeHead(200, [
        ['connection', 'x-hop'],
        ['x-hop', '1'],
        ['keep-alive', 'timeout=5'],
        ['set-cookie', 'a=1'],
        ['vary', 'a'],
        ['vary', 'b'],
        ['x-latin', 'g\u00fcn'],
      ] as never);
      response.end('x');
    });
    const { headers } = await upstream.forward(request());
    expect(headers).toMatchObject({ vary: 'a, b', 'x-latin': 'g\u00fcn' });
    for (const name of ['connection', 'x-hop', 'keep-alive', 'transfer-encoding', 'set-cookie'])
      expect(headers).not.toHaveProperty(name);
  });

  it('flows event by event, and stands still while nobody reads', async () => {
    expectNothingLeft();
    let pending: ServerResponse | undefined;
    let written = 0;
    const upstream = await serving((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: first\n\n');
      pending = response;
    });
    const { body } = await upstream.forward(request({ method: 'GET' }));
    const reader = body![Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    expect(String((await reader.next()).value)).toBe('data: first\n\n');
    pending!.write('data: second\n\n');
    expect(String((await reader.next()).value)).toBe('data: second\n\n');

    const flood = Buffer.alloc(65_536, 0x78);
    while (pending!.write(flood)) written += flood.length;
    for (let round = 0; round < 400; round += 1) {
      pending!.write(flood);
      written += flood.length;
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(body!.readableLength).toBeLessThan(1_000_000);
    expect(written).toBeGreaterThan(20_000_000);
    body!.destroy();
  });

  it('of 64 MiB arrives whole', async () => {
    const blob = Buffer.alloc(64 * 1024 * 1024, 0x79);
    const upstream = await serving((_incoming, response) => response.end(blob));
    const { body } = await upstream.forward(request());
    let bytes = 0;
    for await (const chunk of body!) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(blob.length);
  });

  it('that breaks off in the middle breaks off for the reader too', async () => {
    const upstream = await serving((_incoming, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half', () => response.destroy());
    });
    await expect(textOf(await upstream.forward(request()))).rejects.toThrow();
  });
});

describe('an agent that leaves', () => {
  it('before the answer takes the request away from the server', async () => {
    expectNothingLeft();
    let closed = false;
    let arrived = false;
    const upstream = await serving((incoming, response) => {
      arrived = true;
      incoming.resume();
      response.on('close', () => (closed = true));
    });
    const controller = new AbortController();
    const waiting = upstream.forward(request({ signal: controller.signal }));
    waiting.catch(() => {});
    await until(() => arrived);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    await until(() => closed);
  });

  it('in the middle of a stream ends the stream at the server', async () => {
    let closed = false;
    const upstream = await serving((_incoming, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: x\n\n');
      response.on('close', () => (closed = true));
    });
    const { body } = await upstream.forward(request({ method: 'GET' }));
    body!.on('error', () => {});
    body!.destroy();
    await until(() => closed);
  });
});

describe('a server that is not there', () => {
  it.each(['forward', 'check'] as const)('%s says that nothing listens', async (what) => {
    expectNothingLeft();
    const free = createTcpServer();
    const port = await listening(free);
    await new Promise((resolve) => free.close(resolve));
    const upstream = upstreamTo(`http://localhost:${port}/mcp`);
    const asked = what === 'check' ? upstream.check(new AbortController().signal) : upstream.forward(request());
    await expect(asked).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      message: `http://localhost:${port} refused the connection: nothing listens there; start the server`,
      retryable: true,
    });
  });

  it('is there again when it came back, without anything to be done', async () => {
    const server = createHttpServer((_incoming, response) => response.end('back'));
    const port = await listening(server);
    const upstream = upstreamTo(`http://127.0.0.1:${port}/`);
    expect(await textOf(await upstream.forward(request()))).toBe('back');
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await expect(upstream.forward(request())).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await textOf(await upstream.forward(request()))).toBe('back');
  });

  it('listens on IPv6 alone and is found by the name localhost', async () => {
    const port = await listening(
      createHttpServer((_incoming, response) => response.end('six')),
      '::1',
    );
    expect(await textOf(await upstreamTo(`http://localhost:${port}/`).forward(request()))).toBe('six');
  });

  it('closes the connection instead of answering', async () => {
    const port = await listening(createTcpServer((socket) => socket.on('data', () => socket.destroy())));
    await expect(upstreamTo(`http://127.0.0.1:${port}/`).forward(request())).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
    });
  });

  it('speaks something else than HTTP', async () => {
    const port = await listening(
      createTcpServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', () => socket.write('220 smtp.example.com ready\r\n'));
      }),
    );
    const upstream = upstreamTo(`http://127.0.0.1:${port}/`);
    await expect(upstream.check(new AbortController().signal)).rejects.toMatchObject({
      code: 'UPSTREAM_PROTOCOL',
      message: `http://127.0.0.1:${port} does not speak HTTP`,
    });
  });

  it('accepts and never answers: check gives up after its time', async () => {
    expectNothingLeft();
    let connected = false;
    const port = await listening(createTcpServer((socket) => (connected = socket.on('error', () => {}) === socket)));
    const clock = new FakeClock();
    const checking = upstreamTo(`http://127.0.0.1:${port}/`, { clock }).check(new AbortController().signal);
    checking.catch(() => {});
    await until(() => connected);
    clock.advance(5_000);
    await expect(checking).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
      message: `http://127.0.0.1:${port} accepts connections but does not answer`,
    });
    expect(clock.pending).toBe(0);
  });
});

describe('check', () => {
  it.each([200, 204, 404, 405, 500])(
    'is content with any answer, like %i, and asks in a way that starts nothing',
    async (status) => {
      const methods: (string | undefined)[] = [];
      const upstream = await serving((incoming, response) => {
        methods.push(incoming.method);
        response.writeHead(status).end();
      });
      await upstream.check(new AbortController().signal);
      expect(methods).toEqual(['OPTIONS']);
    },
  );
});

describe('what is never dialled', () => {
  it('an address off this machine, unless it is permitted; a metadata address in any case', async () => {
    const asked: string[] = [];
    for (const url of ['http://10.255.255.1/', 'http://169.254.169.254/latest/meta-data', 'http://[fe80::1]/']) {
      const upstream = upstreamTo(url, { permit: (address) => asked.push(address) < 0 });
      await expect(upstream.forward(request())).rejects.toMatchObject({ code: 'UPSTREAM_DENIED' });
    }
    expect(asked).toEqual(['10.255.255.1']);
  });

  it.each(['', 'localhost:3000', 'ftp://localhost/', 'file:///etc/passwd', 'http://user:pass@localhost/', 'unix:///x'])(
    '%j is no URL for a server',
    (url) => {
      expect(() => new HttpUpstream({ url, headers: {}, clock: systemClock })).toThrow(
        expect.objectContaining({ code: 'USAGE' }),
      );
    },
  );
});

it('after close nothing is sent, and what ran is broken off', async () => {
  expectNothingLeft();
  let arrived = false;
  const upstream = await serving(() => (arrived = true));
  const waiting = upstream.forward(request());
  waiting.catch(() => {});
  await until(() => arrived);
  await upstream.close();
  await upstream.close();
  await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(upstream.forward(request())).rejects.toMatchObject({ code: 'CLOSED' });
});
