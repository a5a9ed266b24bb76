// A session that outlives its server: what the next process is told, what agents are told, and when it ends after all.
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../support/fakeClock.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { settableServer } from '../../support/serverSettings.ts';
import { bodyOf, EventReader, notification, request, stdioWorld, type World } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

const LISTS = { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true } };
const quick = { restartBaseMs: 1, restartMaxMs: 5 };

async function pidOf(world: World, sessionId: string, id: string | number): Promise<number> {
  return Number((await world.post(request(id, 'pid'), sessionId)).json.result?.['pid']);
}

const returned = ({ events }: World): number => events.filter(({ kind }) => kind === 'returned').length;

describe('a server that was started again', () => {
  it('is told what its agent had told the one before, byte for byte and in this order, and nothing else', async () => {
    expectNothingLeft();
    const server = await settableServer({ capabilities: LISTS });
    const world = stdioWorld(server.flags);
    const { sessionId, pid } = await world.initialize();
    await world.post('{"jsonrpc":"2.0",  "method":"notifications/initialized"}', sessionId);
    await world.post(request('l', 'logging/setLevel', { level: 'debug' }), sessionId);
    await world.post(request(5, 'resources/subscribe', { uri: 'a:1' }), sessionId);
    await world.post(request(6, 'resources/subscribe', { uri: 'a:2' }), sessionId);
    await world.post(request(7, 'resources/unsubscribe', { uri: 'a:1' }), sessionId);
    await world.post(request(8, 'tools/call', { name: 'dangerous' }), sessionId);
    process.kill(pid, 'SIGKILL');
    await until(() => returned(world) === 1);
    expect(await pidOf(world, sessionId, 9)).not.toBe(pid);

    const [before, after] = await server.heard();
    expect(after).toEqual([before![0], before![1], before![2], before![4], JSON.stringify(request(9, 'pid'))]);
  });

  it('does not have its handshake seen by the agent, who hears that lists changed and goes on with its stream', async () => {
    const server = await settableServer({ capabilities: LISTS });
    const world = stdioWorld(server.flags);
    const { sessionId, pid } = await world.initialize();
    await world.post(notification('notifications/initialized'), sessionId);
    const stream = new EventReader(await world.get(sessionId));
    process.kill(pid, 'SIGKILL');
    await until(() => returned(world) === 1);
    await world.post(request(1, 'notify', { count: 1 }), sessionId);
    expect((await stream.has(3)).map(({ method }) => method)).toEqual([
      'notifications/tools/list_changed',
      'notifications/prompts/list_changed',
      'notifications/message',
    ]);
  });

  it('has what the tunnel says in its place marked as the tunnel’s, and nothing else', async () => {
    const server = await settableServer({ capabilities: LISTS });
    const world = stdioWorld(server.flags);
    const { sessionId, pid } = await world.initialize();
    await world.post(notification('notifications/initialized'), sessionId);
    const marks: Record<string, string[]> = { stream: [], died: [], served: [] };
    const marking = (name: string) => ({ sessionId, mark: (flag: string) => void marks[name]!.push(flag) });
    const stream = new EventReader(await world.open({ method: 'GET', ...marking('stream') }));
    const died = world.open({ ...bodyOf(request(1, 'never')), ...marking('died') });
    await until(async () => (await server.heard()).flat().some((line) => line.includes('never')));
    process.kill(pid, 'SIGKILL');
    await died;
    await stream.has(1);
    await world.open({ ...bodyOf(request(2, 'ping')), ...marking('served') });
    expect(marks).toEqual({ stream: ['synthesised', 'synthesised'], died: ['synthesised'], served: [] });
    stream.leave();
  });

  it('gets the calls that came while it was away, once each, in their order', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags);
    const { sessionId, pid } = await world.initialize();
    process.kill(pid, 'SIGKILL');
    await until(() => world.events.some(({ kind }) => kind === 'away'));
    const calls = [1, 2, 3].map((id) => world.post(request(id, 'tools/call', { name: `t${id}` }), sessionId));
    for (const { json } of await Promise.all(calls)) expect(json).toHaveProperty('result');
    const [, after] = await server.heard();
    expect(after?.slice(1)).toEqual(
      [1, 2, 3].map((id) => JSON.stringify(request(id, 'tools/call', { name: `t${id}` }))),
    );
  });

  it('is not sent a call again that the one before died of; the agent reads that it may try again', async () => {
    const server = await settableServer({ deadly: true });
    const world = stdioWorld(server.flags);
    const { sessionId } = await world.initialize();
    await server.set({});
    const answer = await world.post(request(0, 'tools/call', { name: 'write' }), sessionId);
    expect(answer.json).toMatchObject({ id: 0, error: { code: -32011, data: { retryable: true } } });
    await until(() => returned(world) === 1);
    const [before, after] = await server.heard();
    expect([before!.length, after!.length]).toEqual([2, 1]);
    expect((await world.post(request(0, 'tools/call', { name: 'write' }), sessionId)).json).toHaveProperty('result');
  });

  it('is sent a call again that only reads, if its owner wants that, and only once', async () => {
    const tools = [{ name: 'read', annotations: { readOnlyHint: true } }, { name: 'write' }];
    const server = await settableServer({ deadly: true, tools });
    const world = stdioWorld(server.flags, { replaysReads: true, limits: quick });
    const { sessionId } = await world.initialize();
    await world.post(request(1, 'tools/list'), sessionId);
    const twice = await world.post(request(2, 'tools/call', { name: 'read' }), sessionId);
    expect(twice.json).toMatchObject({ error: { data: { retryable: true } } });
    expect((await server.heard()).flat().filter((line) => line.includes('"read"'))).toHaveLength(2);

    await until(() => returned(world) === 2);
    const again = world.post(request(3, 'tools/call', { name: 'read' }), sessionId);
    await server.set({ tools });
    expect((await again).json).toHaveProperty('result');
    await server.set({ deadly: true, tools });
    world.upstream.restart('a test wants it deadly');
    await until(() => returned(world) === 4);
    const written = await world.post(request(4, 'tools/call', { name: 'write' }), sessionId);
    expect(written.json).toMatchObject({ error: { data: { retryable: true } } });
  });

  it('asks under ids of its own: what the agent still answers the one before is not taken for it', async () => {
    const world = stdioWorld();
    const { sessionId, pid } = await world.initialize();
    const first = new EventReader(await world.send(request(1, 'ask', { as: 1 }), sessionId));
    await first.has(1);
    process.kill(pid, 'SIGKILL');
    await first.ended();
    const second = new EventReader(await world.send(request(2, 'ask', { as: 1 }), sessionId));
    const [asked] = await second.has(1);
    expect(asked).toMatchObject({ method: 'sampling/createMessage' });
    expect(asked?.id).not.toBe(1);
    await world.post({ jsonrpc: '2.0', id: 1, result: { text: 'late' } }, sessionId);
    await world.post({ jsonrpc: '2.0', id: asked!.id, result: { text: 'mine' } }, sessionId);
    await second.ended();
    expect(second.messages[1]).toMatchObject({ id: 2, result: { heard: { text: 'mine' } } });
  });

  it('is started anew when it is asked to, ended first, as often as one likes', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const { sessionId, pid } = await world.initialize();
    const pids = new Set([pid]);
    for (let round = 1; round <= 8; round += 1) {
      world.upstream.restart('Restart Server');
      pids.add(await pidOf(world, sessionId, round));
    }
    expect(pids.size).toBe(9);
    expect(world.events.filter(({ kind }) => kind === 'exited')).toHaveLength(8);
  });
});

describe('a call that comes while its server is away', () => {
  const clock = new FakeClock();
  const away = { limits: { restartBaseMs: 1_000_000, restartMaxMs: 1_000_000, awayMs: 1_000 }, random: () => 1, clock };

  it('does not wait for ever: it may be made again, and is never sent itself', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags, away);
    const { sessionId, pid } = await world.initialize();
    await server.set({ exit: 3 });
    process.kill(pid, 'SIGKILL');
    await until(() => world.events.filter(({ kind }) => kind === 'exited').length === 2);
    const waiting = world.post(request(1, 'tools/call', { name: 'dangerous' }), sessionId);
    const streaming = world.send([request(2, 'ping'), request(3, 'ping')], sessionId);
    clock.advance(1_000);
    const { status, json } = await waiting;
    expect([status, json]).toMatchObject([200, { id: 1, error: { code: -32011, data: { retryable: true } } }]);
    expect((await new EventReader(await streaming).has(2)).map(({ id }) => id)).toEqual([2, 3]);
    await server.set({});
    const next = world.post(request(1, 'ping'), sessionId);
    world.upstream.restart('Restart Server');
    expect((await next).json).toMatchObject({ id: 1, result: {} });
    expect((await server.heard()).flat().filter((line) => line.includes('dangerous'))).toEqual([]);
  });
});

describe('a session whose server does not come back', () => {
  it('ends when it dies again and again; its agent is told 404 and why, and may begin anew', async () => {
    expectNothingLeft();
    const server = await settableServer();
    const world = stdioWorld(server.flags, { limits: { ...quick, maxRestarts: 3 } });
    const { sessionId, pid } = await world.initialize();
    const stream = new EventReader(await world.get(sessionId));
    await server.set({ exit: 3 });
    process.kill(pid, 'SIGKILL');
    await until(() => world.events.some(({ kind }) => kind === 'away'));
    const waiting = world.post(request(1, 'ping'), sessionId);
    waiting.catch(() => {});
    await stream.ended();
    await expect(waiting).rejects.toMatchObject({ code: 'UPSTREAM_EXITED' });
    expect(world.events.filter(({ kind }) => kind === 'started')).toHaveLength(4);
    const gone = await world.post(request(2, 'ping'), sessionId);
    expect([gone.status, gone.json.error]).toEqual([
      404,
      {
        code: -32001,
        message: 'Session not found: the MCP server behind this tunnel ended again and again; its owner can see why',
      },
    ]);
    await server.set({});
    const { sessionId: next } = await world.initialize();
    expect((await world.post(request(1, 'ping'), next)).status).toBe(200);
  });

  it.each([
    ['speaks another revision', { capabilities: { tools: {} }, protocolVersion: '2024-11-05' }],
    ['can do less', { capabilities: {} }],
  ])('ends when the next one %s', async (_what, next) => {
    const server = await settableServer({ capabilities: { tools: {} } });
    const world = stdioWorld(server.flags);
    const { sessionId, pid } = await world.initialize();
    await server.set(next);
    process.kill(pid, 'SIGKILL');
    const stream = new EventReader(await world.get(sessionId));
    await stream.ended();
    const gone = await world.post(request(2, 'ping'), sessionId);
    expect(gone.status).toBe(404);
    expect(gone.json.error?.message).toContain('is another one since it was restarted; initialize again');
  });

  it('does not end when the next one can do more', async () => {
    const server = await settableServer({ capabilities: { tools: {} } });
    const world = stdioWorld(server.flags);
    const { sessionId, pid } = await world.initialize();
    await server.set({ capabilities: { tools: {}, prompts: {} } });
    process.kill(pid, 'SIGKILL');
    await until(() => returned(world) === 1);
    expect((await world.post(request(2, 'ping'), sessionId)).status).toBe(200);
  });

  it('does not end for a server that dies often, but serves in between', async () => {
    const world = stdioWorld([], { limits: { ...quick, maxRestarts: 2 } });
    const { sessionId } = await world.initialize();
    for (let round = 0; round < 6; round += 1) {
      process.kill(await pidOf(world, sessionId, round), 'SIGKILL');
      await until(() => returned(world) === round + 1);
    }
    expect((await world.post(request('p', 'ping'), sessionId)).status).toBe(200);
  });

  it('does not end for a server that others kill at each start, as on a machine that is too busy', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags, { limits: { ...quick, maxRestarts: 2 } });
    const { sessionId, pid } = await world.initialize();
    let killed = 0;
    world.upstream.onEvent((event) => {
      if (event.kind !== 'started' || event.pid === undefined || killed === 6) return;
      killed += 1;
      process.kill(event.pid, 'SIGKILL');
    });
    process.kill(pid, 'SIGKILL');
    await until(() => returned(world) === 1);
    expect(killed).toBe(6);
    expect((await world.post(request('p', 'ping'), sessionId)).status).toBe(200);
  });

  it('that is deleted while its server is away leaves nothing behind', async () => {
    expectNothingLeft();
    const server = await settableServer();
    const world = stdioWorld(server.flags, { limits: { restartBaseMs: 60_000 } });
    const { sessionId, pid } = await world.initialize();
    process.kill(pid, 'SIGKILL');
    await until(() => world.events.some(({ kind }) => kind === 'away'));
    expect((await world.open({ method: 'DELETE', sessionId })).status).toBe(200);
    await world.upstream.close();
  });
});
