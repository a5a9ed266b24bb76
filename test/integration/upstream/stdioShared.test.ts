// One stdio server for all sessions: ids that collide, requests and notifications that belong to one of them, and what
// no agent may hear because it might be another's.
import { describe, expect, it } from 'vitest';
import { maxWaitingRequests } from '../../../src/upstream/serverRequestIds.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { settableServer, type ServerSettings } from '../../support/serverSettings.ts';
import { EventReader, isAlive, notification, request, stdioWorld, type World } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

const shared = { isolation: 'shared' as const };
const LISTS = { tools: { listChanged: true }, logging: {}, resources: { subscribe: true } };

async function settable(
  settings: ServerSettings = { capabilities: LISTS },
): Promise<{ world: World; heard: () => Promise<string[]> }> {
  const server = await settableServer(settings);
  const heard = async (): Promise<string[]> => (await server.heard()).flat();
  return { world: stdioWorld(server.flags, shared), heard };
}

const said = (message: object): object => ({ messages: [message] });

describe('sessions of a shared server', () => {
  it('have one process, which was initialised once, and each its own answer to initialize', async () => {
    expectNothingLeft();
    const { world, heard } = await settable();
    const sessions = await Promise.all(Array.from({ length: 5 }, () => world.initialize()));
    expect(new Set(sessions.map(({ pid }) => pid)).size).toBe(1);
    expect(new Set(sessions.map(({ sessionId }) => sessionId)).size).toBe(5);
    expect(sessions.every(({ answer }) => answer.json.id === 0)).toBe(true);
    for (const { sessionId } of sessions) await world.post(notification('notifications/initialized'), sessionId);
    await world.post(request(1, 'ping'), sessions[0]!.sessionId);
    expect((await heard()).map((line) => (JSON.parse(line) as { method: string }).method)).toEqual([
      'initialize',
      'notifications/initialized',
      'ping',
    ]);
    await world.upstream.close();
    expect(isAlive(sessions[0]!.pid)).toBe(false);
  });

  it('may use the same ids and tokens at the same time, and get what is theirs', async () => {
    const world = stdioWorld([], shared);
    const sessions = await Promise.all(
      Array.from({ length: 6 }, (_, index) => world.initialize('2025-11-25', { principal: `g_${index % 3}` })),
    );
    const readers = await Promise.all(
      sessions.map(async ({ sessionId }, index) => {
        const params = { steps: index + 1, everyMs: 5, _meta: { progressToken: 0 } };
        return new EventReader(await world.send(request('0', 'progress', params), sessionId));
      }),
    );
    await Promise.all(readers.map((reader) => reader.ended()));
    readers.forEach(({ messages }, index) => {
      expect(messages).toHaveLength(index + 2);
      expect(messages.slice(0, -1).every(({ params }) => (params?.progressToken as unknown) === 0)).toBe(true);
      expect(messages.at(-1)).toMatchObject({ id: '0', result: { steps: index + 1 } });
    });
  });

  it('end none but themselves: what they asked is withdrawn, the others go on', async () => {
    const { world, heard } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
    const call = world.post(request('c', 'never'), one.sessionId).catch(() => {});
    await world.open({ method: 'DELETE', sessionId: one.sessionId });
    await call;
    expect((await world.post(request(1, 'ping'), two.sessionId)).status).toBe(200);
    expect((await world.post(request(1, 'ping'), one.sessionId)).status).toBe(404);
    const withdrawn = (await heard()).find((line) => line.includes('notifications/cancelled'));
    expect(JSON.parse(withdrawn!)).toMatchObject({ params: { requestId: 2 } });
  });

  it('withdraw their own calls only, whatever ids the others use', async () => {
    const { world, heard } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize()];
    const held = world.send(request(7, 'never'), two.sessionId);
    await world.post(notification('notifications/cancelled', { requestId: 7 }), one.sessionId);
    await world.post(request(1, 'ping'), one.sessionId);
    expect((await heard()).some((line) => line.includes('cancelled'))).toBe(false);
    await world.post(notification('notifications/cancelled', { requestId: 7 }), two.sessionId);
    await new EventReader(await held).ended();
    await world.post(request(2, 'ping'), one.sessionId); // The server has read what was said before.
    expect((await heard()).filter((line) => line.includes('cancelled'))).toHaveLength(1);
  });
});

it('a call that was withdrawn runs no more: the server may ask the other principal, and its late answer is nobody’s', async () => {
  const world = stdioWorld([], shared);
  const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
  const held = world.send(request(7, 'never'), one.sessionId);
  await world.post(notification('notifications/cancelled', { requestId: 7 }), one.sessionId);
  await new EventReader(await held).ended();
  const asking = new EventReader(await world.send(request(1, 'ask', { as: 1 }), two.sessionId));
  expect((await asking.has(1))[0]).toMatchObject({ id: 1, method: 'sampling/createMessage' });
  await world.post({ jsonrpc: '2.0', id: 1, result: { text: 'mine' } }, two.sessionId);
  await asking.ended();
});

describe('a shared server that asks and asks', () => {
  it('has the oldest of its questions forgotten: their answers go nowhere', async () => {
    const { world, heard } = await settable();
    const { sessionId } = await world.initialize();
    const messages = Array.from({ length: maxWaitingRequests + 1 }, (_, id) => ({ id, method: 'roots/list' }));
    await new EventReader(await world.send(request('c', 'say', { messages }), sessionId)).ended();
    for (const id of [0, 1]) await world.post({ jsonrpc: '2.0', id, result: { roots: [] } }, sessionId);
    await world.post(request('d', 'ping'), sessionId);
    const answers = (await heard()).map((line) => JSON.parse(line) as { id: unknown; result?: object });
    expect(answers.filter(({ result }) => result).map(({ id }) => id)).toEqual([1]);
  });

  it('is answered no more while it does not read the answers', async () => {
    const server = `process.stdin.once('data', (line) => {
      const { id, params } = JSON.parse(line);
      process.stdin.pause();
      const result = { protocolVersion: params.protocolVersion, capabilities: {}, serverInfo: { name: 's', version: '1' } };
      const pings = Array.from({ length: 20_000 }, (_, id) => JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' }));
      process.stdout.write([JSON.stringify({ jsonrpc: '2.0', id, result }), ...pings, ''].join('\\n'));
      setInterval(() => {}, 1000);
    })`;
    const world = stdioWorld([], { ...shared, args: ['-e', server], limits: { maxUnreadInputBytes: 10_000 } });
    await world.initialize();
    await until(() => world.events.some((event) => event.kind === 'noise' && event.line.includes('does not read')));
  });
});

describe('an agent that cannot live with what was agreed on', () => {
  it.each([
    ['an older revision', '2024-11-05', { sampling: {} }, 'was begun with protocol revision 2025-11-25'],
    ['fewer capabilities', '2025-11-25', {}, 'was begun by one with the capability “sampling”'],
  ])('for %s is refused with the reason, and disturbs nobody', async (_what, version, capabilities, why) => {
    const world = stdioWorld([], shared);
    const first = await world.initialize('2025-11-25', { capabilities: { sampling: {} } });
    const { answer } = await world.initialize(version, { capabilities });
    expect(answer.headers).not.toHaveProperty('mcp-session-id');
    expect(answer.json.error?.message).toContain(why);
    expect((await world.post(request(1, 'ping'), first.sessionId)).status).toBe(200);
    const richer = await world.initialize('2025-11-25', { capabilities: { sampling: {}, roots: {} } });
    expect(richer.sessionId).not.toBe('');
  });

  it('is not the end of it when the server refuses the first one', async () => {
    const world = stdioWorld(['--refuse'], shared);
    const answers = await Promise.all([world.initialize(), world.initialize()]);
    for (const { answer } of answers) expect(answer.json).toMatchObject({ id: 0, error: { message: 'not you' } });
  });
});

describe('a request of a shared server', () => {
  it('goes to the session whose call runs, and the answer back under the server’s own id', async () => {
    const world = stdioWorld([], shared);
    const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
    const other = new EventReader(await world.get(two.sessionId));
    const asking = new EventReader(await world.send(request(1, 'ask', { as: 1 }), one.sessionId));
    const [asked] = await asking.has(1);
    expect(asked).toMatchObject({ id: 1, method: 'sampling/createMessage' });
    // Another session cannot answer in its place.
    await world.post({ jsonrpc: '2.0', id: 1, result: { text: 'not mine' } }, two.sessionId);
    await world.post({ jsonrpc: '2.0', id: 1, result: { text: 'mine' } }, one.sessionId);
    await asking.ended();
    expect(asking.messages[1]).toMatchObject({ result: { heard: { text: 'mine' } } });
    expect(other.messages).toEqual([]);
    other.leave();
  });

  it('is refused where it could be meant for another principal, and asks nobody', async () => {
    const { world, heard } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
    const streams = [new EventReader(await world.get(one.sessionId)), new EventReader(await world.get(two.sessionId))];
    const held = world.send(request('h', 'never'), two.sessionId).catch(() => {});
    await world.post(request(1, 'say', said({ id: 's', method: 'roots/list' })), one.sessionId);
    const answered = async (): Promise<string | undefined> =>
      (await heard()).find((line) => line.startsWith('{"jsonrpc":"2.0","id":"s"'));
    await until(async () => (await answered()) !== undefined);
    const refused = JSON.parse((await answered())!) as object;
    expect(refused).toMatchObject({ error: { code: -32000 } });
    expect(streams.flatMap(({ messages }) => messages)).toEqual([]);
    await world.upstream.close();
    await held;
  });
});

describe('a notification of a shared server', () => {
  const listChanged = { method: 'notifications/tools/list_changed' };
  const updated = { method: 'notifications/resources/updated', params: { uri: 'a:1' } };
  const log = (level: string): object => ({ method: 'notifications/message', params: { level, data: level } });

  it('that lists changed goes to all; that a resource was updated to those who subscribed', async () => {
    const { world } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
    const [first, second] = [
      new EventReader(await world.get(one.sessionId)),
      new EventReader(await world.get(two.sessionId)),
    ];
    await world.post(request(1, 'resources/subscribe', { uri: 'a:1' }), two.sessionId);
    await world.post(request(2, 'say', { messages: [updated, listChanged] }), one.sessionId);
    await Promise.all([first.has(1), second.has(2)]);
    expect(first.messages.map(({ method }) => method)).toEqual([listChanged.method]);
    expect(second.messages.map(({ method }) => method)).toEqual([updated.method, listChanged.method]);
    first.leave();
    second.leave();
  });

  it('of a resource is kept coming while one session holds the subscription, and no longer', async () => {
    const { world, heard } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize()];
    for (const { sessionId } of [one, two])
      await world.post(request(1, 'resources/subscribe', { uri: 'a:1' }), sessionId);
    const given = await world.post(request('u', 'resources/unsubscribe', { uri: 'a:1' }), one.sessionId);
    expect(given.json).toEqual({ jsonrpc: '2.0', id: 'u', result: {} });
    expect((await heard()).some((line) => line.includes('unsubscribe'))).toBe(false);
    await world.open({ method: 'DELETE', sessionId: two.sessionId });
    await until(async () => (await heard()).some((line) => line.includes('unsubscribe')));
  });

  it('of its log goes to the session whose call runs, and by the level each asked for', async () => {
    const { world } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
    const [first, second] = [
      new EventReader(await world.get(one.sessionId)),
      new EventReader(await world.get(two.sessionId)),
    ];
    await world.post(request(1, 'logging/setLevel', { level: 'debug' }), one.sessionId);
    expect((await world.post(request(1, 'logging/setLevel', { level: 'error' }), two.sessionId)).json.result).toEqual(
      {},
    );
    for (const { sessionId } of [one, two]) {
      await world.post(request(2, 'say', { messages: [log('info'), log('error')] }), sessionId);
    }
    await Promise.all([first.has(2), second.has(1)]);
    expect(second.messages).toMatchObject([{ params: { data: 'error' } }]);
    first.leave();
    second.leave();
  });

  it('that might be another principal’s is heard by nobody', async () => {
    const { world } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
    const [first, second] = [
      new EventReader(await world.get(one.sessionId)),
      new EventReader(await world.get(two.sessionId)),
    ];
    const held = world.send(request('h', 'never'), two.sessionId).catch(() => {});
    await world.post(request(2, 'say', { messages: [log('info'), listChanged] }), one.sessionId);
    await Promise.all([first.has(1), second.has(1)]);
    expect([...first.messages, ...second.messages].map(({ method }) => method)).toEqual([
      listChanged.method,
      listChanged.method,
    ]);
    expect(world.events.some((event) => event.kind === 'noise' && event.line.includes('whose it is'))).toBe(true);
    await world.upstream.close();
    await held;
  });
});

describe('a shared server that dies', () => {
  it('comes back for all of its sessions, told everything once, and loses none', async () => {
    expectNothingLeft();
    const { world, heard } = await settable();
    const [one, two] = [await world.initialize(), await world.initialize('2025-11-25', { principal: 'g_2' })];
    for (const { sessionId } of [one, two]) await world.post(notification('notifications/initialized'), sessionId);
    await world.post(request(1, 'resources/subscribe', { uri: 'a:1' }), one.sessionId);
    await world.post(request(1, 'resources/subscribe', { uri: 'a:2' }), two.sessionId);
    const streams = [new EventReader(await world.get(one.sessionId)), new EventReader(await world.get(two.sessionId))];
    const before = (await heard()).length;
    const waiting = [one, two].map(({ sessionId }) => world.post(request('w', 'never'), sessionId));
    await until(async () => (await heard()).length === before + 2);
    process.kill(one.pid, 'SIGKILL');
    for (const { json } of await Promise.all(waiting)) {
      expect(json).toMatchObject({ id: 'w', error: { code: -32011, data: { retryable: true } } });
    }
    for (const { sessionId } of [one, two]) expect((await world.post(request(2, 'ping'), sessionId)).status).toBe(200);
    for (const stream of streams) {
      expect((await stream.has(1))[0]?.method).toBe('notifications/tools/list_changed');
      stream.leave();
    }
    const again = (await heard()).slice(before + 2).map((line) => (JSON.parse(line) as { method: string }).method);
    expect(again).toEqual([
      'initialize',
      'notifications/initialized',
      'resources/subscribe',
      'resources/subscribe',
      'ping',
      'ping',
    ]);
  });

  it('and stays away is not waited for by calls for ever, and never hears of them', async () => {
    const clock = new FakeClock();
    const server = await settableServer();
    const limits = { restartBaseMs: 1_000_000, restartMaxMs: 1_000_000, awayMs: 1_000 };
    const world = stdioWorld(server.flags, { ...shared, limits, clock, random: () => 1 });
    const { sessionId, pid } = await world.initialize();
    await server.set({ exit: 3 });
    process.kill(pid, 'SIGKILL');
    await until(() => world.events.filter(({ kind }) => kind === 'exited').length === 2);
    const waiting = world.post(request(1, 'dangerous'), sessionId);
    clock.advance(1_000);
    expect((await waiting).json).toMatchObject({ id: 1, error: { code: -32011, data: { retryable: true } } });
    await server.set({});
    world.upstream.restart('Restart Server');
    expect((await world.post(request(1, 'ping'), sessionId)).status).toBe(200);
    expect((await server.heard()).flat().filter((line) => line.includes('dangerous'))).toEqual([]);
  });
});
