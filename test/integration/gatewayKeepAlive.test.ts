// Streams on which nothing moves: comments keep them alive, between two events and nowhere else, and everybody who stands
// between us and the agent is asked to pass each event on at once.
import { once } from 'node:events';
import { request as requestHttps } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SseReader } from '../../src/core/sse.ts';
import { callHttp2, connectAgent2, openHttp1 } from '../support/agents.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { aGateway, hostname, mcpHeaders, post, request, sse, type GatewayWorld } from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

const comment = ': keep-alive\n\n';
const call = Buffer.from(JSON.stringify(request('tools/call', { name: 'slow' })));

async function open(world: GatewayWorld): Promise<{ response: IncomingMessage; text: () => string }> {
  const sent = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token), body: call };
  const response = await openHttp1(world.target, sent);
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  onTestFinished(() => void response.destroy());
  return { response, text: () => Buffer.concat(chunks).toString() };
}

describe('a stream on which nothing moves', () => {
  it('gets a comment every 15 seconds from its first moment on, and the bytes of the server as they are', async () => {
    const clock = new FakeClock();
    const source = new PassThrough();
    const world = await aGateway({ clock });
    await post(world, { jsonrpc: '2.0', method: 'notifications/warmUp' });
    await until(() => world.unanswered() === 0);
    const before = clock.pending;
    world.upstream.answer = () => sse(source);
    const { response, text } = await open(world);
    clock.advance(14_999);
    source.write('data: {"first":1}\n\n');
    await until(() => text() !== '');
    expect(text()).toBe('data: {"first":1}\n\n');
    clock.advance(14_999);
    expect(text()).toBe('data: {"first":1}\n\n'); // It was not silent for so long.
    clock.advance(1);
    await until(() => text().includes(comment));
    clock.advance(30_000);
    await until(() => text() === `data: {"first":1}\n\n${comment.repeat(3)}`);
    source.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n');
    await once(response, 'end');
    expect(text()).toBe(`data: {"first":1}\n\n${comment.repeat(3)}data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n`);
    await until(() => world.rows()[1]?.status === 'ok');
    // Marked, and not counted as bytes of the server.
    expect(world.rows()[1]).toMatchObject({ flags: ['keep-alive'], responseBytes: text().length - 3 * comment.length });
    await until(() => clock.pending === before);
  });

  it.each([
    'data: {"half"',
    'data: {"half":1}\n',
    'id: 1',
    'data: 1\n\nd',
    'data: a\r\n',
    'data: a\r',
    `data: ${'x'.repeat(200_000)}`,
  ])('%# gets none in the middle of an event', async (part) => {
    const clock = new FakeClock();
    const source = new PassThrough();
    const world = await aGateway({ clock, answer: () => sse(source) });
    const { text } = await open(world);
    source.write(part);
    await until(() => text() === part);
    clock.advance(60_000);
    source.write('\n\n');
    clock.advance(1);
    await until(() => text().endsWith('\n\n'));
    expect(text()).toBe(`${part}\n\n`);
    clock.advance(15_000);
    await until(() => text().endsWith(comment));
  });

  it('gets none where its bytes are compressed', async () => {
    const clock = new FakeClock();
    const source = new PassThrough();
    const world = await aGateway({ clock, answer: () => sse(source, { 'content-encoding': 'gzip' }) });
    const { response, text } = await open(world);
    clock.advance(120_000);
    source.end('not really gzip');
    await once(response, 'end');
    expect(text()).toBe('not really gzip');
  });

  it('gets them also where lists are filtered and half an event is held back', async () => {
    const clock = new FakeClock();
    const source = new PassThrough();
    const world = await aGateway({ clock, answer: () => sse(source) });
    const { token } = await world.grantFor({ tools: ['slow'] });
    const { text } = await open({ ...world, token });
    source.write('data: {"jsonrpc":');
    await until(() => source.readableLength === 0);
    clock.advance(15_000);
    await until(() => text() === comment);
    source.write('"2.0","id":1,"result":{"tools":[{"name":"slow"},{"name":"hidden"}]}}\n\n');
    await until(() => text().endsWith('}\n\n'));
    expect(text()).toContain('slow');
    expect(text()).not.toContain('hidden');
  });

  it('gives its reader the same events as without comments, however its bytes are cut and whenever they come', async () => {
    const whole = 'id: 1\r\ndata: {"a":"é"}\r\n\r\n: theirs\n\ndata: b\rdata: c\r\revent: x\ndata: d\n\nretry: 5\n\n';
    const bytes = Buffer.from(whole);
    for (let seed = 1; seed <= 12; seed += 1) {
      const clock = new FakeClock();
      const source = new PassThrough();
      const world = await aGateway({ clock, answer: () => sse(source) });
      const { response, text } = await open(world);
      let at = 0;
      let turn = seed;
      while (at < bytes.length) {
        turn = (turn * 1_103_515_245 + 12_345) % 2 ** 31;
        const to = Math.min(bytes.length, at + 1 + (turn % 9));
        source.write(bytes.subarray(at, to));
        at = to;
        await until(() => world.rows()[0]?.responseBytes === at);
        if (turn % 3 === 0) clock.advance(15_000);
      }
      source.end();
      await once(response, 'end');
      expect(text().replaceAll(comment, '')).toBe(whole);
      expect(eventsIn(text())).toEqual(eventsIn(whole));
    }
  });
});

function eventsIn(text: string): unknown[] {
  const events: unknown[] = [];
  const reader = new SseReader({
    maxEventBytes: 10_000,
    onEvent: ({ type, data, id }) => (data === '' ? undefined : events.push({ type, data, id })),
  });
  reader.push(Buffer.from(text));
  return events;
}

describe('the headers of an event stream', () => {
  it('ask everybody on the way to buffer nothing, and promise no length, over both HTTP versions', async () => {
    const short = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n';
    const world = await aGateway({
      answer: () => {
        const source = new PassThrough();
        source.end(short);
        return sse(source, { 'content-length': `${short.length}`, 'cache-control': 'no-cache', etag: '"1"' });
      },
    });
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const sent = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token), body: call };
    for (const answer of [await post(world, call.toString()), await callHttp2(session, sent)]) {
      expect(answer.body.toString()).toBe(short);
      expect(answer.headers).toMatchObject({
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        etag: '"1"',
      });
      expect(answer.headers).not.toHaveProperty('content-length');
    }
  });
});

it('a call of three seconds lives through a proxy that cuts what is idle for one', { timeout: 20_000 }, async () => {
  expectNothingLeft();
  const idleMs = 1_000;
  const slow = (keepAliveMs: number): Promise<GatewayWorld> =>
    aGateway({
      more: { keepAliveMs },
      answer: () => {
        const source = new PassThrough();
        setTimeout(() => source.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'), 3 * idleMs);
        return sse(source);
      },
    });
  const [kept, cut] = await Promise.all([slow(200), slow(60_000)]);
  const [whole, broken] = await Promise.all([through(kept, idleMs), through(cut, idleMs)]);
  expect(whole).toContain('"result"');
  expect(broken).toBe('cut');
});

/** An agent's call through a proxy that ends connections on which nothing moves. */
async function through(world: GatewayWorld, idleMs: number): Promise<string> {
  const proxy = createServer((agent: Socket) => {
    const server = createConnection(world.target.port, '127.0.0.1');
    for (const socket of [agent, server]) {
      socket.setTimeout(idleMs, () => agent.destroy() && server.destroy());
      socket.on('error', () => {}).on('close', () => agent.destroy() && server.destroy());
    }
    agent.pipe(server).pipe(agent);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => void proxy.close());
  return new Promise((resolve) => {
    const sent = requestHttps(
      {
        host: '127.0.0.1',
        port: (proxy.address() as AddressInfo).port,
        servername: hostname,
        ca: world.target.ca,
        method: 'POST',
        path: '/mcp',
        agent: false,
        headers: { ...mcpHeaders(world.token), host: `${hostname}:${world.target.port}` },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => resolve(text)).on('error', () => resolve('cut'));
      },
    );
    sent.on('error', () => resolve('cut')).end(call);
  });
}
