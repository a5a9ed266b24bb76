import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../../../src/core/errors.ts';
import { isJsonObject, type JsonObject } from '../../../../src/core/json.ts';
import type { RpcMessage } from '../../../../src/mcp/message.ts';
import { jsonAnswer, refuse } from '../../../../src/upstream/answers.ts';
import { EraBridge, forgetMs } from '../../../../src/upstream/eras/eraBridge.ts';
import { legacyFrontLimits } from '../../../../src/upstream/eras/legacyFront.ts';
import { listenLimits } from '../../../../src/upstream/eras/changeListeners.ts';
import { modernHeaders } from '../../../../src/upstream/eras/modernHeaders.ts';
import { postOf } from '../../../../src/upstream/eras/spoken.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../../../../src/upstream/upstream.ts';
import { FakeClock } from '../../../support/fakeClock.ts';
import { FakeLegacyServer } from '../../../support/fakeLegacyServer.ts';
import { modernRequest } from '../../../support/modernAgent.ts';
import { answerOf, EventReader, request } from '../../../support/stdioWorld.ts';
import { until } from '../../../support/until.ts';

type Answer = (request: UpstreamRequest, method: string) => UpstreamResponse | Promise<UpstreamResponse>;

/** A server that answers what the test says, and the methods it heard. */
class Scripted implements Upstream {
  readonly kind = 'http';
  readonly heard: string[] = [];
  readonly #answer: Answer;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  async check(): Promise<void> {}

  async forward(request: UpstreamRequest): Promise<UpstreamResponse> {
    const [message] = request.messages;
    const method = message && 'method' in message ? message.method : request.method;
    this.heard.push(method);
    return this.#answer(request, method);
  }

  onEvent(): () => void {
    return () => {};
  }

  async close(): Promise<void> {}
}

const aSignal = (): AbortSignal => new AbortController().signal;
const discovered = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} };

function legacy(method: string, params: object = {}, principal = 'alice', sessionId?: string): UpstreamRequest {
  const text = JSON.stringify(request(1, method, params));
  return postOf(text, { era: 'legacy', principal, signal: aSignal(), headers: {}, sessionId });
}

function modern(method: string, params: JsonObject = {}, own = aSignal()): UpstreamRequest {
  const text = JSON.stringify(modernRequest(1, method, params));
  return postOf(text, { era: 'modern', principal: 'alice', signal: own, headers: modernHeaders(method, params) });
}

function resultOf({ messages: [message] }: UpstreamRequest, result: object): UpstreamResponse {
  const id = message?.kind === 'request' ? message.id : null;
  return jsonAnswer(200, Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result })));
}

function bridge(upstream: Upstream, clock = new FakeClock()): EraBridge {
  const made = new EraBridge({ upstream, clock, random: () => 0.5 });
  onTestFinished(() => made.close());
  return made;
}

const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } };

describe('EraBridge', () => {
  it.each([
    ['wants credentials', () => refuse.noSession(), 401],
    ['forbids', () => refuse.noSession(), 403],
    ['fails', () => refuse.noSession(), 503],
  ])('lets everything through to a server that %s before it says what it speaks', async (_what, answer, status) => {
    const server = new Scripted(() => ({ ...answer(), status }));
    for (const asked of [legacy('initialize', initialize), modern('server/discover'), modern('tools/list')]) {
      expect((await bridge(server).forward(asked)).status).toBe(status);
    }
  });

  it('passes on why a server cannot be reached, and asks again with the next request', async () => {
    const server = new Scripted(() => {
      throw new TunnelError('UPSTREAM_UNREACHABLE', 'nobody is there');
    });
    const between = bridge(server);
    await expect(between.forward(modern('tools/list'))).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    await expect(between.forward(modern('tools/list'))).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    expect(server.heard.filter((method) => method === 'server/discover')).toHaveLength(2);
  });

  it.each([
    ['an error of any kind', () => refuse.noSession()],
    ['a result of another method', (asked: UpstreamRequest) => resultOf(asked, { tools: [] })],
    [
      'a revision that nobody knows',
      (asked: UpstreamRequest) => resultOf(asked, { supportedVersions: ['2031-01-01'] }),
    ],
    ['a page', () => ({ ...jsonAnswer(200, Buffer.from('<html>')), headers: { 'content-type': 'text/html' } })],
    ['nothing', () => ({ status: 202, headers: {} })],
  ])(
    'takes a server for one of the older eras that answers server/discover with %s',
    async (_what, answer: (asked: UpstreamRequest) => UpstreamResponse) => {
      const server = new Scripted((asked, method) =>
        method === 'server/discover' ? answer(asked) : resultOf(asked, initialize),
      );
      await bridge(server).forward(legacy('initialize', initialize));
      await bridge(server).forward(modern('tools/list'));
      expect(server.heard.slice(-4)).toEqual(['initialize', 'notifications/initialized', 'GET', 'tools/list']);
    },
  );

  it('asks a server once, however many want to know', async () => {
    const server = new Scripted((asked, method) => resultOf(asked, method === 'server/discover' ? discovered : {}));
    const between = bridge(server);
    await Promise.all(Array.from({ length: 20 }, () => between.forward(modern('tools/list'))));
    expect(server.heard.filter((method) => method === 'server/discover')).toHaveLength(1);
  });

  it('asks a server that refuses requests again, but not with each of them', async () => {
    const clock = new FakeClock();
    const server = new Scripted((asked, method) =>
      method === 'server/discover' ? resultOf(asked, discovered) : refuse.noSession(),
    );
    const between = bridge(server, clock);
    for (let count = 0; count < 20; count += 1) await between.forward(modern('tools/list'));
    expect(server.heard.filter((method) => method === 'server/discover')).toHaveLength(1);
    clock.advance(forgetMs);
    for (let count = 0; count < 20; count += 1) await between.forward(modern('tools/list'));
    expect(server.heard.filter((method) => method === 'server/discover')).toHaveLength(2);
  });

  it('gives sessions at a modern server to each principal alone, and so many', async () => {
    const server = new Scripted((asked, method) =>
      method === 'initialize'
        ? refuse.protocolVersion()
        : resultOf(asked, method === 'server/discover' ? discovered : { tools: [], resultType: 'complete' }),
    );
    const between = bridge(server);
    const begun = await between.forward(legacy('initialize', initialize));
    const session = begun.headers['mcp-session-id']!;
    expect((await between.forward(legacy('tools/list', {}, 'mallory', session))).status).toBe(404);
    expect((await between.forward(legacy('tools/list', {}, 'alice', session))).status).toBe(200);
    for (let count = 0; count < legacyFrontLimits.maxSessions; count += 1) {
      expect((await between.forward(legacy('initialize', initialize))).status).toBe(200);
    }
    expect((await between.forward(legacy('tools/list', {}, 'alice', session))).status).toBe(404);
  });

  it.each(['legacy', 'modern'] as const)(
    'passes on to an agent of the other era that a %s server wants credentials',
    async (era) => {
      const letsIn = (sent: UpstreamRequest): boolean => sent.headers['authorization'] === 'Bearer good';
      const server = new Scripted((sent, method) => {
        if (!letsIn(sent)) return { status: 401, headers: { 'www-authenticate': 'Bearer resource_metadata="x"' } };
        if (method === 'server/discover') return era === 'modern' ? resultOf(sent, discovered) : refuse.noSession();
        return method === 'initialize' && era === 'modern'
          ? refuse.protocolVersion()
          : resultOf(sent, { ...initialize, tools: [] });
      });
      const between = bridge(server);
      const from = (headers: Record<string, string>, principal: string): UpstreamRequest => {
        const asked = era === 'modern' ? legacy('initialize', initialize, principal) : modern('tools/list');
        return { ...asked, principal, headers: { ...asked.headers, ...headers } };
      };
      for (const principal of ['first', 'second']) {
        const refused = await between.forward(from({}, principal));
        expect(refused).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer resource_metadata="x"' } });
        expect((await between.forward(from({ authorization: 'Bearer good' }, principal))).status).toBe(200);
      }
    },
  );

  it('feeds a session from one listen stream, opened again for other wishes and when it breaks off', async () => {
    const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } };
    const streams: { sent: UpstreamRequest; body: PassThrough }[] = [];
    const server = new Scripted((sent, method) => {
      if (method === 'initialize') return refuse.protocolVersion();
      if (method !== 'subscriptions/listen') return resultOf(sent, { ...discovered, capabilities });
      const [message] = sent.messages as unknown as [{ id: string; params: { notifications: object } }];
      const body = new PassThrough();
      sent.signal.addEventListener('abort', () => body.destroy());
      streams.push({ sent, body });
      const params = { notifications: message.params.notifications };
      tell(body, 'notifications/subscriptions/acknowledged', params, message.id);
      return { status: 200, headers: { 'content-type': 'text/event-stream' }, body };
    });
    const tell = (body: PassThrough, method: string, params: object, id = 's'): void => {
      const _meta = { 'io.modelcontextprotocol/subscriptionId': id };
      body.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta } })}\n\n`);
    };
    const clock = new FakeClock();
    const between = bridge(server, clock);
    const sessionId = (await between.forward(legacy('initialize', initialize))).headers['mcp-session-id']!;
    const ready = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const own = { era: 'legacy', principal: 'alice', headers: {}, sessionId } as const;
    await between.forward(postOf(ready, { ...own, signal: aSignal() }));
    const headers = { accept: 'text/event-stream' };
    const stream = new EventReader(
      await between.forward({ method: 'GET', messages: [], ...own, headers, signal: aSignal() }),
    );
    const subscribed = await answerOf(
      await between.forward(legacy('resources/subscribe', { uri: 'a://b' }, 'alice', sessionId)),
    );
    expect(subscribed.json.result).toEqual({});
    expect(streams).toHaveLength(2);
    expect(streams[0]?.sent.signal.aborted).toBe(true);
    expect(JSON.stringify(streams[1]?.sent.messages)).toContain('"resourceSubscriptions":["a://b"]');
    tell(streams[1]!.body, 'notifications/resources/updated', { uri: 'a://b' });
    expect(await stream.has(1)).toEqual([
      { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'a://b' } },
    ]);
    streams[1]!.body.destroy();
    await until(() => (clock.advance(1_000), streams.length === 3));
    tell(streams[2]!.body, 'notifications/tools/list_changed', {});
    expect((await stream.has(2))[1]).toEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await between.forward({ method: 'DELETE', messages: [], ...own, signal: aSignal() });
    await until(() => streams[2]!.sent.signal.aborted);
  });

  it('refuses a server’s kinds of results that an agent cannot read, and says which', async () => {
    const server = new Scripted((asked, method) =>
      method === 'initialize'
        ? refuse.protocolVersion()
        : resultOf(asked, method === 'server/discover' ? discovered : { resultType: 'task', taskId: '1' }),
    );
    const between = bridge(server);
    const session = (await between.forward(legacy('initialize', initialize))).headers['mcp-session-id']!;
    const { json } = await answerOf(await between.forward(legacy('tools/call', { name: 'x' }, 'alice', session)));
    expect(json.error?.message).toContain('"task"');
  });

  it('ends a call in which a server asks for ever', async () => {
    let asked = 0;
    const server = new Scripted((sent, method) => {
      if (method === 'initialize') return refuse.protocolVersion();
      if (method === 'server/discover') return resultOf(sent, discovered);
      asked += 1;
      return resultOf(sent, { resultType: 'input_required', requestState: `${asked}` });
    });
    const clock = new FakeClock();
    const between = bridge(server, clock);
    const session = (await between.forward(legacy('initialize', initialize))).headers['mcp-session-id']!;
    const answer = between.forward(legacy('tools/call', { name: 'x' }, 'alice', session));
    const ticking = setInterval(() => clock.advance(50), 1);
    onTestFinished(() => clearInterval(ticking));
    const { text } = await answerOf(await answer);
    expect(text).toMatch(/asked more than 10 times/);
    expect(asked).toBe(11);
  });

  it('feeds the subscriptions of a modern agent from its session, and tells the server of the last one that ends', async () => {
    const server = new FakeLegacyServer();
    const between = bridge(server);
    const left = new AbortController();
    const listen = modern(
      'subscriptions/listen',
      { notifications: { toolsListChanged: true, resourceSubscriptions: ['a://b'] } },
      left.signal,
    );
    const stream = new EventReader(await between.forward(listen));
    await stream.has(1);
    for (const uri of ['a://hidden', 'a://b'])
      server.tell({ method: 'notifications/resources/updated', params: { uri } });
    server.tell({ method: 'notifications/prompts/list_changed' });
    server.tell({ method: 'notifications/tools/list_changed' });
    const messages = await stream.has(3);
    expect(messages.map(({ method }) => method)).toEqual([
      'notifications/subscriptions/acknowledged',
      'notifications/resources/updated',
      'notifications/tools/list_changed',
    ]);
    expect(JSON.stringify(messages)).not.toContain('hidden');
    left.abort();
    await expect
      .poll(() => server.heard.some((message) => 'method' in message && message.method === 'resources/unsubscribe'))
      .toBe(true);
  });

  it('subscribes to nothing for a modern agent that left in the middle, and leaves to others what is theirs', async () => {
    const server = new FakeLegacyServer();
    let answer = (): void => {};
    const held = new Promise<void>((resolve) => (answer = resolve));
    const uriOf = (message: RpcMessage | undefined): unknown =>
      message && 'params' in message && isJsonObject(message.params) ? message.params['uri'] : undefined;
    server.before = (message) => (uriOf(message) === 'a://1' ? held : undefined);
    const between = bridge(server);
    const listen = (signal: AbortSignal, resourceSubscriptions: string[]): Promise<UpstreamResponse> =>
      between.forward(modern('subscriptions/listen', { notifications: { resourceSubscriptions } }, signal));
    const left = new AbortController();
    const leaving = listen(left.signal, ['a://1', 'a://2', 'a://3']).catch(() => undefined);
    await until(() => server.heard.some((message) => uriOf(message) === 'a://1'));
    const stays = new EventReader(await listen(new AbortController().signal, ['a://3', 'a://4']));
    left.abort();
    await leaving;
    answer();
    await until(() => server.heard.some((message) => uriOf(message) === 'a://3'));
    const told = (method: string): unknown[] =>
      server.heard.filter((message) => 'method' in message && message.method === method).map(uriOf);
    expect(told('resources/subscribe')).toEqual(['a://1', 'a://4', 'a://3']);
    expect(told('resources/unsubscribe')).toEqual(['a://1', 'a://2']);
    stays.leave();
  });

  it('makes no call for a modern agent that left before its session was there', async () => {
    const server = new FakeLegacyServer();
    let answer = (): void => {};
    const held = new Promise<void>((resolve) => (answer = resolve));
    server.before = (message) => (message?.kind === 'request' && message.method === 'initialize' ? held : undefined);
    const between = bridge(server);
    const left = new AbortController();
    const leaving = between.forward(modern('tools/call', { name: 'x' }, left.signal)).catch(() => undefined);
    await until(() => server.heard.some((message) => 'method' in message && message.method === 'initialize'));
    left.abort();
    answer();
    await leaving;
    expect(server.calls).toEqual([]);
  });

  it('opens so many subscriptions of one session', async () => {
    const between = bridge(new FakeLegacyServer());
    const listen = (): UpstreamRequest => modern('subscriptions/listen', { notifications: { toolsListChanged: true } });
    for (let count = 0; count < listenLimits.maxListeners; count += 1)
      await new EventReader(await between.forward(listen())).has(1);
    const { json } = await answerOf(await between.forward(listen()));
    expect(json.error).toMatchObject({ code: -32012 });
  });
});
