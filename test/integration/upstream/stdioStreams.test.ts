// The GET stream of a stdio server's session: what it carries, resuming it, and agents that read slowly or not at all.
import { describe, expect, it } from 'vitest';
import { SseReader } from '../../../src/core/sse.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { answerOf, EventReader, request, stdioWorld } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

const version = { 'mcp-protocol-version': '2025-11-25' };

describe('the GET stream', () => {
  it('carries what belongs to no call, each event with an id of its own', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const stream = new EventReader(await world.get(sessionId));
    expect((await world.post(request(1, 'notify', { count: 3 }), sessionId)).headers['content-type']).toBe(
      'application/json',
    );
    await stream.has(3);
    expect(new Set(stream.events.map(({ id }) => id)).size).toBe(3);
  });

  it('exists once per session: a second one is 409, and may come when the first has gone', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const first = new EventReader(await world.get(sessionId));
    const second = await world.get(sessionId);
    expect(second.status).toBe(409);
    expect((await answerOf(second)).json).toMatchObject({ error: { code: -32000 } });
    first.leave();
    await until(async () => {
      const third = await world.get(sessionId);
      third.body?.destroy();
      return third.status === 200;
    });
  });

  it('begins with what was said when nobody listened', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const text = '{"jsonrpc":"2.0","id":1,"result":{}}\n{"jsonrpc":"2.0","method":"notifications/early"}\n';
    await world.post(request(1, 'raw', { text }), sessionId);
    await world.post(request(2, 'ping'), sessionId);
    const stream = new EventReader(await world.get(sessionId));
    expect(await stream.has(1)).toMatchObject([{ method: 'notifications/early' }]);
  });

  it('resumed by Last-Event-ID gives exactly the missed events, once, while more are coming', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const first = new EventReader(await world.get(sessionId));
    await world.post(request(1, 'notify', { count: 10 }), sessionId);
    await first.has(10);
    const seen = first.events[3]!.id!;
    first.leave();
    await world.post(request(2, 'notify', { count: 5 }), sessionId); // Nobody listens: the call's own stream carries them.
    const resumed = new EventReader(await world.get(sessionId, { 'last-event-id': seen }));
    await resumed.has(6);
    await world.post(request(3, 'notify', { count: 2 }), sessionId);
    const indexes = (await resumed.has(8)).map((message) => message.params?.index);
    expect(indexes).toEqual([4, 5, 6, 7, 8, 9, 0, 1]);
  });

  it('is primed, so that an agent that is cut before the first message loses none', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const { body } = await world.get(sessionId, version);
    const [, id] = /^id: (\S+)\ndata: \n\n$/.exec(String(body!.read())) ?? [];
    await world.post(request(1, 'say', { messages: [{ method: 'notifications/early' }] }), sessionId);
    body!.destroy();
    const resumed = new EventReader(await world.get(sessionId, { ...version, 'last-event-id': id! }));
    expect(await resumed.has(1)).toMatchObject([{ method: 'notifications/early' }]);
    resumed.leave();
    const plain = new EventReader(await world.get(sessionId, { 'mcp-protocol-version': '2025-06-18' }));
    expect(plain.events).toEqual([]);
    plain.leave();
  });

  it('resumed across restarts of the server, cut at any byte, gives each message once', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const indexes: number[] = [];
    let lastId = '';
    // Cuts at bytes that fall into heads, data and ends of events.
    for (const [round, cutAfter] of [17, 40, 95, 131, 260, 402].entries()) {
      const headers = { ...version, ...(lastId === '' ? {} : { 'last-event-id': lastId }) };
      const { body } = await world.get(sessionId, headers);
      const messages = Array.from({ length: 3 }, (_, at) => ({
        method: 'notifications/x',
        params: { index: round * 3 + at },
      }));
      await world.post(request(round, 'say', { messages }), sessionId);
      world.upstream.restart('a test wants it');
      await world.post(request('up', 'ping'), sessionId);
      const reader = new SseReader({
        maxEventBytes: 10_000,
        onEvent: ({ id, data }) => {
          lastId = id ?? lastId;
          if (data !== '') indexes.push((JSON.parse(data) as { params: { index: number } }).params.index);
        },
      });
      reader.push((body!.read() as Buffer).subarray(0, cutAfter));
      body!.destroy();
    }
    const rest = new EventReader(await world.get(sessionId, { ...version, 'last-event-id': lastId }));
    await until(() => indexes.length + rest.messages.length === 18);
    const all = [...indexes, ...rest.messages.map(({ params }) => params!.index)];
    expect(all).toEqual(Array.from({ length: 18 }, (_, index) => index));
    rest.leave();
  });

  it('of a stream of a call resumes that stream only, up to its answer and end', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const slow = request(1, 'progress', { steps: 20, everyMs: 10, _meta: { progressToken: 'a' } });
    const first = new EventReader(await world.send(slow, sessionId, version));
    await first.has(3);
    const { lastId } = first;
    const count = first.messages.length;
    first.leave();
    const listening = new EventReader(await world.get(sessionId));
    await world.post(request(2, 'notify', { count: 2 }), sessionId);
    const resumed = new EventReader(await world.get(sessionId, { 'last-event-id': lastId }));
    await resumed.ended();
    const steps = resumed.messages.slice(0, -1).map((message) => message.params?.progress);
    expect(steps).toEqual(Array.from({ length: 20 - count }, (_, index) => count + 1 + index));
    expect(resumed.messages.at(-1)).toMatchObject({ id: 1, result: { steps: 20 } });
    expect(listening.messages).toHaveLength(2);
    const again = new EventReader(await world.get(sessionId, { 'last-event-id': resumed.lastId }));
    await again.ended();
    expect(again.messages).toEqual([]);
    listening.leave();
  });

  it.each(['x', 'g-999999', 'p77-1', 'g-1-1', '../g-1'])('does not resume from %j', async (lastEventId) => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    expect((await world.get(sessionId, { 'last-event-id': lastEventId })).status).toBe(400);
  });

  it('forgets the oldest events first, and still gives what is left', async () => {
    const world = stdioWorld([], { limits: { maxReplayEvents: 5 } });
    const { sessionId } = await world.initialize();
    const first = new EventReader(await world.get(sessionId));
    await world.post(request(1, 'notify', { count: 20 }), sessionId);
    await first.has(20);
    first.leave();
    const resumed = new EventReader(await world.get(sessionId, { 'last-event-id': first.events[0]!.id! }));
    const indexes = (await resumed.has(5)).map((message) => message.params?.index);
    expect(indexes).toEqual([15, 16, 17, 18, 19]);
    resumed.leave();
  });

  it('whose agent never reads makes the server wait, and is ended after a while with a reason', async () => {
    const world = stdioWorld([], { limits: { streamQueueBytes: 10_000, stallMs: 200 } });
    const { sessionId } = await world.initialize();
    const unread = await world.get(sessionId);
    let reason: unknown;
    unread.body!.on('error', (error) => (reason = error));
    const call = world.post(request(1, 'notify', { count: 3_000, pad: 1_000 }), sessionId);
    let mostHeld = 0;
    await until(() => {
      mostHeld = Math.max(mostHeld, unread.body!.readableLength);
      return reason !== undefined;
    });
    expect(mostHeld).toBeGreaterThanOrEqual(10_000);
    expect(mostHeld).toBeLessThan(500_000);
    expect(reason).toMatchObject({ code: 'LIMIT', message: 'the agent read nothing for 0.2 s' });
    expect((await call).status).toBe(200);
  });

  it('whose agent reads slowly loses nothing and is not ended', async () => {
    const world = stdioWorld([], { limits: { streamQueueBytes: 10_000, stallMs: 400 } });
    const { sessionId } = await world.initialize();
    const response = await world.get(sessionId);
    const call = world.post(request(1, 'notify', { count: 400, pad: 1_000 }), sessionId);
    let text = '';
    for await (const chunk of response.body!) {
      text += String(chunk);
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (text.includes('"index":399')) break;
    }
    expect(text.match(/"index":/g)).toHaveLength(400);
    expect((await call).status).toBe(200);
  });
});
