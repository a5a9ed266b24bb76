// Sessions of a stdio server: how they begin and end, and what is refused, status by status.
import { describe, expect, it } from 'vitest';
import { expectNothingLeft } from '../../support/leaks.ts';
import { answerOf, bodyOf, EventReader, isAlive, notification, request, stdioWorld } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

const version = { 'mcp-protocol-version': '2025-11-25' };

describe('a session', () => {
  it('begins with initialize: the server’s own answer as JSON, and an id of visible ASCII', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const answer = await world.post(request('first', 'initialize', { protocolVersion: '2025-06-18' }));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['mcp-session-id']).toMatch(/^[\x21-\x7e]+$/);
    expect(answer.json).toMatchObject({ id: 'first', result: { protocolVersion: '2025-06-18' } });
  });

  it('has a process of its own, which ends with DELETE; afterwards it is 404', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const [one, two] = await Promise.all([world.initialize(), world.initialize()]);
    expect(one.pid).not.toBe(two.pid);
    const deleted = await world.open({ method: 'DELETE', sessionId: one.sessionId });
    expect(deleted.status).toBe(200);
    await until(() => !isAlive(one.pid));
    expect(isAlive(two.pid)).toBe(true);

    for (const method of ['POST', 'GET', 'DELETE'] as const) {
      const gone = await world.open({
        method,
        ...(method === 'POST' ? bodyOf(request(1, 'ping')) : {}),
        sessionId: one.sessionId,
      });
      expect(gone.status).toBe(404);
      expect((await answerOf(gone)).json).toMatchObject({ jsonrpc: '2.0', error: { code: -32001 }, id: null });
    }
    expect((await world.post(request(1, 'ping'), two.sessionId)).status).toBe(200);
  });

  it('may begin beside a stale id', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    await world.open({ method: 'DELETE', sessionId });
    const again = await world.post(request(0, 'initialize', { protocolVersion: '2025-11-25' }), sessionId);
    expect(again.status).toBe(200);
    expect(again.headers['mcp-session-id']).not.toBe(sessionId);
  });

  it('that the server refuses is none: its error is passed on and its process ends', async () => {
    const world = stdioWorld(['--refuse']);
    const answer = await world.post(request(0, 'initialize', {}));
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ error: { message: 'not you' } });
    expect(answer.headers).not.toHaveProperty('mcp-session-id');
    await until(() => world.events.some(({ kind }) => kind === 'exited'));
  });

  it('ends when nobody used it for long, but not while a stream is open', async () => {
    const world = stdioWorld([], { limits: { idleMs: 300 } });
    const unused = await world.initialize();
    const listening = await world.initialize();
    const stream = new EventReader(await world.get(listening.sessionId));
    await until(() => !isAlive(unused.pid));
    expect((await world.post(request(1, 'ping'), unused.sessionId)).status).toBe(404);
    expect((await world.post(request(1, 'ping'), listening.sessionId)).status).toBe(200);
    stream.leave();
    await until(() => !isAlive(listening.pid));
  });

  it('makes room for a new one when it is the longest idle; a busy one does not', async () => {
    const world = stdioWorld([], { limits: { maxSessions: 2 } });
    const first = await world.initialize();
    const second = await world.initialize();
    await world.post(request(1, 'ping'), first.sessionId);
    const third = await world.initialize();
    expect((await world.post(request(1, 'ping'), second.sessionId)).status).toBe(404);

    const streams = [
      new EventReader(await world.get(first.sessionId)),
      new EventReader(await world.get(third.sessionId)),
    ];
    const refused = await world.post(request(5, 'initialize', {}));
    expect(refused.status).toBe(503);
    expect(refused.json).toMatchObject({ id: 5, error: { code: -32012 } });
    for (const stream of streams) stream.leave();
  });

  it('lives beside twenty others, none of which hears of it', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const sessions = await Promise.all(Array.from({ length: 20 }, () => world.initialize()));
    expect(new Set(sessions.map(({ pid }) => pid)).size).toBe(20);
    const answers = await Promise.all(
      sessions.map(({ sessionId }, index) => world.post(request(1, `method-${index}`), sessionId)),
    );
    expect(answers.map(({ json }) => json.result?.['method'])).toEqual(sessions.map((_, index) => `method-${index}`));
    await world.upstream.close();
    expect(sessions.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });
});

describe('an agent that reconnects', () => {
  it('finds the process as it left it, however often its streams break', async () => {
    const world = stdioWorld();
    const { sessionId, pid } = await world.initialize();
    for (let round = 0; round < 5; round += 1) {
      const stream = new EventReader(await world.get(sessionId));
      const call = await world.send(
        request(round, 'progress', { steps: 50, everyMs: 1, _meta: { progressToken: round } }),
        sessionId,
      );
      call.body!.destroy();
      stream.leave();
      await until(async () => {
        const again = await world.get(sessionId);
        again.body?.destroy();
        return again.status === 200;
      });
    }
    expect((await world.post(request('p', 'pid'), sessionId)).json.result).toEqual({ pid });
    expect(world.events.filter(({ kind }) => kind === 'started')).toHaveLength(1);
  });
});

describe('agents of different principals', () => {
  it('cannot crowd each other out: whoever wants more than its share takes it from itself', async () => {
    expectNothingLeft();
    const world = stdioWorld([], { limits: { maxSessions: 4, maxSessionsPerPrincipal: 3 } });
    const quiet = await world.initialize('2025-11-25', { principal: 'g_quiet' });
    const busy = [];
    for (let count = 0; count < 6; count += 1) busy.push(await world.initialize('2025-11-25', { principal: 'g_busy' }));
    const statuses = await Promise.all(
      [quiet, ...busy].map(async ({ sessionId }) => (await world.post(request(1, 'ping'), sessionId)).status),
    );
    expect(statuses).toEqual([200, 404, 404, 404, 200, 200, 200]);
    // One that comes later gets its place from whoever has most.
    const late = await world.initialize('2025-11-25', { principal: 'g_late' });
    expect((await world.post(request(1, 'ping'), late.sessionId)).status).toBe(200);
    expect((await world.post(request(2, 'ping'), quiet.sessionId)).status).toBe(200);
    const left = await Promise.all(
      busy.slice(3).map(async ({ sessionId }) => (await world.post(request(2, 'ping'), sessionId)).status),
    );
    expect(left.filter((status) => status === 404)).toHaveLength(1);
  });

  it('do not find each other’s sessions', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize('2025-11-25', { principal: 'g_1' });
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await world.open({ method, sessionId, principal: 'g_2' })).status).toBe(404);
    }
    expect((await world.open({ ...bodyOf(request(1, 'ping')), sessionId, principal: 'g_2' })).status).toBe(404);
    expect((await world.post(request(1, 'ping'), sessionId)).status).toBe(200);
  });
});

describe('what is refused', () => {
  it.each([
    ['another content type', 415, { 'content-type': 'text/plain' }],
    ['no content type', 415, { 'content-type': '' }],
    ['a content type that only begins like it', 415, { 'content-type': 'application/jsonp' }],
    ['an agent that takes no events', 406, { accept: 'application/json' }],
    ['an agent that takes no JSON', 406, { accept: 'text/event-stream' }],
    ['an agent that takes nothing', 406, { accept: '' }],
    ['a revision nobody knows', 400, { 'mcp-protocol-version': '1999-01-01' }],
  ])('%s: %i', async (_what, status, headers) => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const answer = await world.post(request(1, 'ping'), sessionId, headers);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ jsonrpc: '2.0', error: { code: -32000 }, id: null });
  });

  it.each([
    { accept: '*/*' },
    { accept: 'application/*;q=0.5, text/event-stream' },
    { 'content-type': 'application/json; charset=utf-8' },
    version,
  ])('but not %j', async (headers) => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    expect((await world.post(request(1, 'ping'), sessionId, headers)).status).toBe(200);
  });

  it('a call without session: 400; a stream without session: 405, which agents take for "no stream"', async () => {
    const world = stdioWorld();
    const post = await world.post(request(1, 'tools/list'));
    expect([post.status, post.json]).toMatchObject([400, { error: { code: -32000 }, id: null }]);
    expect((await world.post(notification('notifications/initialized'))).status).toBe(400);
    expect((await world.open({ method: 'DELETE' })).status).toBe(400);
    const stream = await world.get();
    expect([stream.status, stream.headers['allow']]).toEqual([405, 'POST']);
    expect(world.events).toEqual([]);
  });

  it('the first word of the newer era, in a way that lets an agent fall back to initialize', async () => {
    const answer = await stdioWorld().post(request(1, 'server/discover', {}));
    expect([answer.status, answer.json]).toMatchObject([400, { error: { code: -32000 } }]);
  });

  it('initialize in a batch', async () => {
    const answer = await stdioWorld().post([request(0, 'initialize', {}), request(1, 'ping')]);
    expect([answer.status, answer.json]).toMatchObject([400, { error: { code: -32600 } }]);
  });

  it('an id that is in use, without disturbing the call that uses it', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const first = world.send(
      request(0, 'progress', { steps: 3, everyMs: 20, _meta: { progressToken: 't' } }),
      sessionId,
    );
    const second = await world.post(request(0, 'ping'), sessionId);
    expect([second.status, second.json]).toMatchObject([400, { id: 0, error: { code: -32600 } }]);
    expect((await world.post(request('0', 'ping'), sessionId)).status).toBe(200);
    const reader = new EventReader(await first);
    await reader.ended();
    expect(reader.messages.at(-1)).toMatchObject({ id: 0, result: { steps: 3 } });
  });

  it('more calls than may wait, while the others go on', async () => {
    const world = stdioWorld([], { limits: { maxPendingRequests: 2 } });
    const { sessionId } = await world.initialize();
    const waiting = [1, 2].map((id) => world.send(request(id, 'never'), sessionId).catch((error: unknown) => error));
    const refused = await world.post(request(3, 'ping'), sessionId);
    expect([refused.status, refused.json]).toMatchObject([429, { id: 3, error: { code: -32012 } }]);
    expect((await world.post(notification('notifications/x'), sessionId)).status).toBe(202);
    await world.upstream.close();
    expect(await Promise.all(waiting)).toMatchObject([{ code: 'UPSTREAM_EXITED' }, { code: 'UPSTREAM_EXITED' }]);
  });
});
