// A server that is restarted while agents use it: their sessions stay, and nothing is done twice.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../../src/core/clock.ts';
import { classifyBody } from '../../../src/mcp/classify.ts';
import { HttpUpstream } from '../../../src/upstream/httpUpstream.ts';
import { ReturningUpstream, type ReturnLimits } from '../../../src/upstream/returningUpstream.ts';
import type { UpstreamEvent, UpstreamResponse } from '../../../src/upstream/upstream.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { answer, Restartable, type Heard, type RestartableOptions } from '../../support/restartable.ts';
import { until } from '../../support/until.ts';

type World = { server: Restartable; upstream: ReturningUpstream; events: UpstreamEvent[] };

async function aWorld(
  options: RestartableOptions = {},
  { clock = systemClock, ...limits }: Partial<ReturnLimits> & { clock?: Clock } = {},
): Promise<World> {
  const server = await new Restartable(options).start();
  const inner = new HttpUpstream({ url: server.url, headers: {}, clock: systemClock });
  const upstream = new ReturningUpstream(inner, { clock, limits: { baseMs: 5, maxDelayMs: 20, ...limits } });
  const events: UpstreamEvent[] = [];
  upstream.onEvent((event) => events.push(event));
  onTestFinished(() => upstream.close());
  return { server, upstream, events };
}

type Sent = {
  session?: string;
  method?: 'GET' | 'DELETE';
  headers?: Record<string, string>;
  signal?: AbortSignal;
  marks?: string[];
};

function send({ upstream }: World, message: object | undefined, sent: Sent = {}): Promise<UpstreamResponse> {
  const body = message === undefined ? undefined : Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
  const classified = body && classifyBody(body);
  return upstream.forward({
    method: sent.method ?? 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(sent.session === undefined ? {} : { 'mcp-session-id': sent.session, 'mcp-protocol-version': '2025-06-18' }),
      ...sent.headers,
    },
    ...(body ? { body } : {}),
    messages: classified?.kind === 'messages' ? classified.messages : [],
    ...(sent.session === undefined ? {} : { sessionId: sent.session }),
    era: 'legacy',
    principal: 'g_1',
    signal: sent.signal ?? new AbortController().signal,
    mark: (flag) => void sent.marks?.push(flag),
  });
}

async function textOf({ body }: UpstreamResponse): Promise<string> {
  let text = '';
  for await (const chunk of body ?? []) text += String(chunk);
  return text;
}

const initialize = {
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'agent', version: '1' } },
};

async function begin(world: World): Promise<string> {
  const begun = await send(world, initialize);
  await textOf(begun);
  const session = begun.headers['mcp-session-id']!;
  await send(world, { method: 'notifications/initialized' }, { session });
  return session;
}

const call = (id: number | string = 1): object => ({ id, method: 'tools/call', params: { name: 'write' } });

describe('a session whose server was restarted', () => {
  it('goes on under the id its agent knows, with what the agent had said before', async () => {
    expectNothingLeft();
    const world = await aWorld();
    const session = await begin(world);
    await textOf(
      await send(world, { id: 1, method: 'resources/subscribe', params: { uri: 'file:///a' } }, { session }),
    );
    await textOf(
      await send(world, { id: 2, method: 'resources/subscribe', params: { uri: 'file:///b' } }, { session }),
    );
    await textOf(
      await send(world, { id: 3, method: 'resources/unsubscribe', params: { uri: 'file:///b' } }, { session }),
    );
    await textOf(await send(world, { id: 4, method: 'logging/setLevel', params: { level: 'debug' } }, { session }));
    await world.server.restart();
    world.server.heard.length = 0;

    const answered = await send(world, call('mine'), { session });
    expect(answered.status).toBe(200);
    expect(answered.headers['mcp-session-id']).toBe(session);
    expect(answered.marks).toEqual(['remapped']);
    expect(JSON.parse(await textOf(answered))).toMatchObject({ id: 'mine', result: { echo: { name: 'write' } } });
    expect(world.server.sessions).toHaveLength(1);
    expect(world.server.sessions).not.toContain(session);
    const [lost, ...rest] = world.server.heard;
    expect(lost).toMatchObject({ session, body: { method: 'tools/call' } });
    expect(rest.map(({ body: { method, params } }) => ({ method, ...params }))).toEqual([
      { method: 'initialize', ...initialize.params },
      { method: 'notifications/initialized' },
      { method: 'logging/setLevel', level: 'debug' },
      { method: 'resources/subscribe', uri: 'file:///a' },
      { method: 'tools/call', name: 'write' },
    ]);
    expect(world.events.map(({ kind }) => kind)).toEqual(['away', 'returned']);
    // And again: the second restart is like the first.
    await world.server.restart();
    expect((await send(world, call(2), { session })).status).toBe(200);
  });

  it('is begun anew once, however many calls find it gone at the same time', async () => {
    const world = await aWorld();
    const session = await begin(world);
    await world.server.restart();
    world.server.heard.length = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, (_, id) => send(world, call(id), { session })));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(world.server.methods().filter((method) => method === 'initialize')).toHaveLength(1);
    const taken = world.server.heard.filter(({ session: id }) => id !== session && id !== undefined);
    expect(taken.filter(({ body }) => body.method === 'tools/call')).toHaveLength(20);
  });

  it('is not begun anew again for a call that hears late that it was gone', async () => {
    let isAnswered = (): void => {};
    const answered = new Promise<void>((resolve) => (isAnswered = resolve));
    const world = await aWorld({ beforeUnknown: async ({ body }) => void (body.id === 'late' && (await answered)) });
    const session = await begin(world);
    await world.server.restart();
    const late = send(world, call('late'), { session });
    await until(() => world.server.heard.some(({ body }) => body.id === 'late'));
    expect((await send(world, call('first'), { session })).status).toBe(200);
    isAnswered();
    expect((await late).status).toBe(200);
    expect(world.server.sessions).toHaveLength(1);
  });

  it('tells its agent on its stream, which stays open, that lists may have changed', async () => {
    expectNothingLeft();
    const world = await aWorld();
    const session = await begin(world);
    const marks: string[] = [];
    const stream = await send(world, undefined, { method: 'GET', session, marks });
    let text = '';
    stream.body!.on('data', (chunk: Buffer) => (text += String(chunk)));
    await until(() => world.server.hasStream(session));
    world.server.say(session, 'data: {"one":1}\n\ndata: {"half":');
    await until(() => text.includes('one'));
    await world.server.restart();
    await until(() => world.server.sessions.some((id) => world.server.hasStream(id)));
    world.server.say(world.server.sessions[0]!, 'data: {"two":2}\n\n');
    await until(() => text.includes('two'));
    expect(text).toBe(
      'data: {"one":1}\n\n' +
        'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n' +
        'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/resources/list_changed"}\n\n' +
        'data: {"two":2}\n\n',
    );
    expect(marks).toEqual(['remapped', 'synthesised']);
    stream.body!.destroy();
  });

  it('resumes nothing of the server that is no more, and its stream begins where it is now', async () => {
    const world = await aWorld();
    const session = await begin(world);
    await world.server.restart();
    const stream = await send(world, undefined, { method: 'GET', session, headers: { 'last-event-id': 'g-7' } });
    expect(stream.status).toBe(200);
    const [first] = (await once(stream.body!, 'data')) as [Buffer];
    expect(String(first)).toContain('list_changed');
    stream.body!.destroy();
  });

  it('has its stream go on after the last event where only the connection broke', async () => {
    const world = await aWorld();
    const session = await begin(world);
    const stream = await send(world, undefined, { method: 'GET', session, headers: { 'last-event-id': 'g-1' } });
    const streams = (): (string | undefined)[] =>
      world.server.heard.filter(({ method }) => method === 'GET').map(({ lastEventId }) => lastEventId);
    let text = '';
    stream.body!.on('data', (chunk: Buffer) => (text += String(chunk)));
    await until(() => world.server.hasStream(session));
    world.server.cutStream(session);
    await until(() => streams().length === 2 && world.server.hasStream(session));
    world.server.say(session, 'id: g-7\ndata: {"one":1}\n\nid: g-8\ndata: {"half":');
    await until(() => text.includes('one'));
    world.server.cutStream(session);
    await until(() => streams().length === 3 && world.server.hasStream(session));
    world.server.say(session, 'id: g-8\ndata: {"two":2}\n\n');
    await until(() => text.includes('two'));
    expect(streams()).toEqual(['g-1', 'g-1', 'g-7']);
    expect(text).toBe('id: g-7\ndata: {"one":1}\n\nid: g-8\ndata: {"two":2}\n\n');
    // The next server never said those.
    await world.server.restart();
    await until(() => world.server.sessions.some((id) => world.server.hasStream(id)));
    expect(streams().slice(3)).toEqual(['g-8', undefined]);
    stream.body!.destroy();
  });

  it('has a stream that says nothing and breaks asked for ever more slowly', async () => {
    const clock = new FakeClock();
    const world = await aWorld({}, { clock });
    const session = await begin(world);
    const stream = await send(world, undefined, { method: 'GET', session });
    stream.body!.on('error', () => {}).resume();
    const streams = (): number => world.server.heard.filter(({ method }) => method === 'GET').length;
    for (const [count, delayMs] of [5, 10, 20].entries()) {
      await until(() => world.server.hasStream(session));
      world.server.cutStream(session);
      await until(() => clock.pending === 1);
      clock.advance(delayMs - 1);
      expect([streams(), clock.pending]).toEqual([count + 1, 1]);
      clock.advance(1);
      await until(() => streams() === count + 2);
    }
    await until(() => world.server.hasStream(session));
    stream.body!.destroy();
  });

  it('has no call sent again for a header that belongs to streams', async () => {
    const onCall = (_heard: Heard, response: ServerResponse): void => void response.writeHead(400).end('{}');
    const world = await aWorld({ onCall });
    const session = await begin(world);
    await world.server.restart();
    const answered = await send(world, call('mine'), { session, headers: { 'last-event-id': 'g-7' } });
    expect(answered.status).toBe(400);
    await textOf(answered);
    const own = world.server.sessions[0];
    expect(world.server.heard.filter(({ session: id, body }) => id === own && body.id === 'mine')).toHaveLength(1);
  });

  it('is lost, as without a tunnel, where the new server speaks another revision', async () => {
    let version: string | undefined;
    const world = await aWorld({ version: () => version ?? '2025-06-18' });
    const session = await begin(world);
    await world.server.restart();
    version = '2025-11-25';
    expect((await send(world, call(), { session })).status).toBe(404);
  });

  it('that its agent ended is not begun anew', async () => {
    const world = await aWorld();
    const session = await begin(world);
    expect((await send(world, undefined, { method: 'DELETE', session })).status).toBe(200);
    expect((await send(world, call(), { session })).status).toBe(404);
    expect(world.server.methods().filter((method) => method === 'initialize')).toHaveLength(1);
  });

  it('goes on where the server is restarted again while the session is begun anew', async () => {
    const world = await aWorld();
    const session = await begin(world);
    await world.server.restart();
    let more = 2;
    world.upstream.onEvent(({ kind }) => {
      if (kind === 'returned' && more > 0) world.server.forget();
      if (kind === 'returned') more -= 1;
    });
    const answered = await send(world, call('mine'), { session });
    expect([answered.status, JSON.parse(await textOf(answered))]).toMatchObject([200, { id: 'mine' }]);
    expect(more).toBe(-1);
  });

  it('is lost where the server forgets it again and again', async () => {
    const world = await aWorld({}, { maxReturns: 3 });
    const session = await begin(world);
    world.upstream.onEvent(({ kind }) => {
      if (kind === 'returned') world.server.forget();
    });
    await world.server.restart();
    expect((await send(world, call('mine'), { session })).status).toBe(404);
    expect(world.server.methods().filter((method) => method === 'initialize')).toHaveLength(1 + 3);
  });

  it('can be ended by its agent, though the new server never heard of it', async () => {
    const world = await aWorld();
    const session = await begin(world);
    await world.server.restart();
    expect((await send(world, undefined, { method: 'DELETE', session })).status).toBe(200);
    expect((await send(world, undefined, { method: 'DELETE', session })).status).toBe(404);
    expect(world.server.methods()).not.toContain('tools/call');
  });

  it('does not get the session of another whose server counts its ids from one again', async () => {
    let next = 0;
    const world = await aWorld({ nextId: () => `${(next += 1)}` });
    const [first, second] = [await begin(world), await begin(world)];
    await world.server.restart();
    next = 0;
    // The second comes back first and is given the id "1", which the first still has in mind.
    await textOf(await send(world, call('of the second'), { session: second }));
    await textOf(await send(world, call('of the first'), { session: first }));
    const by = (id: string): unknown[] =>
      world.server.heard.filter(({ body }) => body.id === id).map(({ session }) => session);
    expect(by('of the second')).toEqual(['2', '1']);
    expect(by('of the first')).toEqual(['2']);
  });
});

describe('a call while the server is away', () => {
  it('waits for it, and is sent once', async () => {
    const clock = new FakeClock();
    const world = await aWorld({}, { clock });
    const session = await begin(world);
    await world.server.stop();
    const waiting = send(world, call(), { session });
    await until(() => clock.pending === 1);
    await world.server.start();
    clock.advance(20);
    expect((await waiting).status).toBe(200);
    const taken = world.server.heard.filter(({ body }) => body.method === 'tools/call');
    expect(taken.map(({ session: id }) => id === session)).toEqual([true, false]); // Unknown there, so not carried out.
  });

  it('hears after ten seconds that it may try again', async () => {
    const clock = new FakeClock();
    const world = await aWorld({}, { clock, maxDelayMs: 1_000 });
    const session = await begin(world);
    await world.server.stop();
    const startMs = clock.now();
    let error: unknown;
    void send(world, call(), { session }).catch((thrown: unknown) => (error = thrown));
    await until(() => {
      clock.advance(100);
      return error !== undefined;
    });
    expect(error).toMatchObject({ code: 'UPSTREAM_UNREACHABLE', retryable: true, data: { failure: 'SERVER_AWAY' } });
    expect(clock.now() - startMs).toBeGreaterThan(8_000);
    expect(clock.pending).toBe(0);
  });

  it('does not wait where too many wait already', async () => {
    const clock = new FakeClock();
    const world = await aWorld({}, { clock, maxWaiting: 2 });
    const session = await begin(world);
    await world.server.stop();
    const left = new AbortController();
    const waiting = [1, 2].map((id) => send(world, call(id), { session, signal: left.signal }).catch(() => 'left'));
    await until(() => clock.pending === 2);
    await expect(send(world, call(3), { session })).rejects.toMatchObject({ data: { failure: 'SERVER_AWAY' } });
    left.abort();
    expect(await Promise.all(waiting)).toEqual(['left', 'left']);
    expect(clock.pending).toBe(0);
  });

  it('does not wait for a server that was never there', async () => {
    const world = await aWorld();
    await world.server.stop();
    await expect(send(world, initialize)).rejects.toMatchObject({ data: { failure: 'CONNECT_REFUSED' } });
  });
});

describe('a call that the server had begun when it ended', () => {
  it.each(['before its answer', 'in the middle of its answer'])('%s is not sent again', async (when) => {
    let calls = 0;
    const onCall = ({ body, session }: Heard, response: ServerResponse): void => {
      calls += 1;
      if (calls > 1) return answer(response, body.id, {}, session!);
      if (when === 'before its answer') return;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n');
    };
    const world = await aWorld({ onCall });
    const session = await begin(world);
    const under = send(world, call(), { session });
    const failure = under.then(textOf).catch((error: unknown) => error);
    await until(() => calls === 1);
    if (when !== 'before its answer') await under;
    await world.server.restart();
    expect(await failure).toBeInstanceOf(Error);
    if (when === 'before its answer') expect(await failure).toMatchObject({ data: { failure: 'CONNECTION_CLOSED' } });
    expect(calls).toBe(1);
    expect((await send(world, call(2), { session })).status).toBe(200);
    expect(calls).toBe(2);
  });
});
