// Agents of the modern era at a stdio server: one process for each principal, whose agents never hear of each other.
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { metaKey } from '../../../src/mcp/revisions.ts';
import { stdioLimits } from '../../../src/upstream/stdioLimits.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { modernAgent, modernRequest } from '../../support/modernAgent.ts';
import { settableServer } from '../../support/serverSettings.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';
import { answerOf, bodyOf, EventReader, isAlive, stdioWorld, type World } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

const bothEras = fileURLToPath(new URL('../../fixtures/bothEras.mjs', import.meta.url));

/** The SDK's own server. */
function sdkWorld(era = 'both'): World {
  return stdioWorld([], { args: [bothEras, '--stdio', '--era', era] });
}

const pids = ({ events }: World): number[] =>
  events.flatMap((event) => (event.kind === 'started' && event.pid !== undefined ? [event.pid] : []));

describe('an agent of the modern era', () => {
  it('is answered without a session, with nothing that belongs to one', async () => {
    expectNothingLeft();
    const world = sdkWorld();
    const agent = modernAgent(world, 'g_1');
    const discovered = await agent.post(1, 'server/discover');
    expect(discovered.status).toBe(200);
    expect(discovered.json).toMatchObject({ id: 1, result: { supportedVersions: ['2026-07-28'] } });
    expect(discovered.headers).not.toHaveProperty('mcp-session-id');
    const called = await agent.post('a', 'tools/call', { name: 'test_simple_text', arguments: {} });
    expect(called.json).toMatchObject({ id: 'a', result: { content: [{ type: 'text' }] } });
    expect(pids(world)).toHaveLength(1);
    await world.upstream.close();
    expect(pids(world).filter(isAlive)).toEqual([]);
  });

  it.each(['modern', 'both'])('finds a server that speaks %s when it is checked', async (era) => {
    await sdkWorld(era).upstream.check(new AbortController().signal);
  });

  it.each([[0], [''], ['1'], [1.5], ['ü"\\😀']])('may number its requests %j, and gets that back', async (id) => {
    const agent = modernAgent(stdioWorld(), 'g_1');
    expect((await agent.post(id, 'ping')).json.id).toBe(id);
  });

  it('gets its answer byte for byte but for the id, which is its own, letter for letter', async () => {
    const agent = modernAgent(stdioWorld(), 'g_1');
    const text = '{ "result" : {"b":1, "a":1.0e0,"id":1,"b\\u0062":"\\/ü" } ,"id" : 1,"jsonrpc":"2.0","extra":[ ]}\n';
    const answer = await agent.post('x', 'raw', { text });
    expect(answer.text).toBe(text.trim().replace('"id" : 1', '"id" : "x"'));
  });

  it('has its request reach the server byte for byte but for id and progress token', async () => {
    const world = stdioWorld();
    const body =
      '{"z":1.50, "method":"line","id" : "mine","jsonrpc":"2.0","params":{"_meta":{"progressToken":"t","io.modelcontextprotocol/protocolVersion":"2026-07-28", "io.modelcontextprotocol/clientCapabilities":{} },"id":"kept"}}';
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'line' };
    const marks: string[] = [];
    const mark = (flag: string): void => void marks.push(flag);
    const { json } = await answerOf(await world.open({ ...bodyOf(body), era: 'modern', headers, mark }));
    expect(marks).toEqual(['remapped']);
    const line = body.replace('"id" : "mine"', '"id" : 1').replace('"progressToken":"t"', '"progressToken":1');
    expect(json).toEqual({ jsonrpc: '2.0', id: 'mine', result: { line } });
  });
});

describe('agents with the same grant', () => {
  it('share one process and are told apart, whatever ids and tokens they use at the same time', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const agents = Array.from({ length: 10 }, () => modernAgent(world, 'g_1'));
    const readers = await Promise.all(
      agents.map(async (agent, index) => {
        const params = { steps: index + 1, everyMs: 5, _meta: { progressToken: 'same' } };
        return new EventReader(await agent.send(1, 'progress', params));
      }),
    );
    await Promise.all(readers.map((reader) => reader.ended()));
    readers.forEach(({ messages }, index) => {
      expect(messages).toHaveLength(index + 2);
      expect(messages.slice(0, -1).every(({ params }) => params?.progressToken === 'same')).toBe(true);
      expect(messages.at(-1)).toMatchObject({ id: 1, result: { steps: index + 1 } });
    });
    expect(pids(world)).toHaveLength(1);
  });

  it('have streams without event ids: nothing can be resumed', async () => {
    const agent = modernAgent(stdioWorld(), 'g_1');
    const reader = new EventReader(await agent.send(1, 'progress', { steps: 2, _meta: { progressToken: 1 } }));
    await reader.ended();
    expect(reader.events.every(({ id }) => id === undefined)).toBe(true);
  });

  it('hear the log of a call only where they asked for it', async () => {
    const agent = modernAgent(stdioWorld(), 'g_1');
    expect((await agent.post(1, 'notify', { count: 2 })).json).toMatchObject({ id: 1, result: { count: 2 } });
    const _meta = { [metaKey.logLevel]: 'info' };
    const reader = new EventReader(await agent.send(2, 'notify', { count: 2, _meta }));
    await reader.ended();
    expect(reader.messages).toHaveLength(3);
  });
});

describe('agents with different grants', () => {
  it('never share a process, and end none but their own', async () => {
    expectNothingLeft();
    const world = stdioWorld([], { limits: { idleMs: 300 } });
    const [one, two] = [modernAgent(world, 'g_1'), modernAgent(world, 'g_2')];
    const [first, second] = [await one.post(1, 'pid'), await two.post(1, 'pid')];
    expect(first.json.result!['pid']).not.toBe(second.json.result!['pid']);
    const listening = new AbortController();
    const held = await two.send(
      2,
      'progress',
      { steps: 1_000, everyMs: 10, _meta: { progressToken: 1 } },
      listening.signal,
    );
    held.body!.resume();
    await until(() => !isAlive(Number(first.json.result!['pid'])));
    expect(isAlive(Number(second.json.result!['pid']))).toBe(true);
    held.body!.destroy();
  });

  it('cannot withdraw each other’s calls', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags);
    const [one, two] = [modernAgent(world, 'g_1'), modernAgent(world, 'g_2')];
    const call = two.send('c', 'never').catch(() => {});
    await one.post(0, 'ping');
    expect((await one.notify('notifications/cancelled', { requestId: 'c' })).status).toBe(202);
    await one.post(1, 'ping');
    expect((await server.heard()).flat().filter((line) => line.includes('cancelled'))).toEqual([]);
    await world.upstream.close();
    await call;
  });
});

describe('a stream that its agent closes', () => {
  it('withdraws the request from the server, under the id the server knows', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags);
    const agent = modernAgent(world, 'g_1');
    const answer = await agent.send('mine', 'progress', { steps: 1_000, everyMs: 10, _meta: { progressToken: 't' } });
    answer.body!.destroy();
    await until(async () => (await server.heard()).flat().some((line) => line.includes('notifications/cancelled')));
    const withdrawn = (await server.heard()).flat().at(-1)!;
    expect(JSON.parse(withdrawn)).toMatchObject({ method: 'notifications/cancelled', params: { requestId: 1 } });
  });

  it('does so before anything was answered, too; a late answer is nobody’s', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags);
    const agent = modernAgent(world, 'g_1');
    const leaving = new AbortController();
    const call = agent.send(1, 'never', {}, leaving.signal);
    await until(async () => (await server.heard()).length > 0);
    leaving.abort(new Error('gone'));
    await expect(call).rejects.toThrow('gone');
    await until(async () => (await server.heard()).flat().some((line) => line.includes('notifications/cancelled')));
    const late = '{"jsonrpc":"2.0","id":1,"result":"late"}\n{"jsonrpc":"2.0","id":2,"result":"mine"}\n';
    expect((await agent.post(1, 'raw', { text: late })).json).toMatchObject({ id: 1, result: 'mine' });
  });

  it('is withdrawn once by a notification of an agent, under the id that the server knows', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags, { limits: { jsonAnswerMs: 1 } });
    const agent = modernAgent(world, 'g_1');
    const stream = new EventReader(await agent.send('mine', 'never'));
    await agent.notify('notifications/cancelled', { requestId: 'mine' });
    await stream.ended();
    await agent.post(2, 'ping');
    const cancelled = (await server.heard()).flat().find((line) => line.includes('notifications/cancelled'));
    expect(JSON.parse(cancelled!)).toMatchObject({ params: { requestId: 1 } });
  });
});

describe('subscriptions/listen', () => {
  const filter = { notifications: { toolsListChanged: true, promptsListChanged: true } };

  it('is a stream of its own for each agent, named by the id that agent gave it', async () => {
    const world = sdkWorld();
    const [one, two] = [modernAgent(world, 'g_1'), modernAgent(world, 'g_1')];
    const first = new EventReader(await one.send('sub', 'subscriptions/listen', filter));
    const second = new EventReader(
      await two.send(7, 'subscriptions/listen', { notifications: { promptsListChanged: true } }),
    );
    await Promise.all([first.has(1), second.has(1)]);
    await one.post(3, 'tools/call', { name: 'test_trigger_tool_change', arguments: {} });
    await one.post(4, 'tools/call', { name: 'test_trigger_prompt_change', arguments: {} });
    await Promise.all([first.has(3), second.has(2)]);
    const seen = ({ messages }: EventReader): unknown[] =>
      messages.map(({ method, params }) => [method, (params as never as { _meta: object })._meta]);
    const id = (value: unknown): object => ({ [metaKey.subscriptionId]: value });
    expect(seen(first)).toMatchObject([
      ['notifications/subscriptions/acknowledged', id('sub')],
      ['notifications/tools/list_changed', id('sub')],
      ['notifications/prompts/list_changed', id('sub')],
    ]);
    expect(seen(second)).toMatchObject([
      ['notifications/subscriptions/acknowledged', id(7)],
      ['notifications/prompts/list_changed', id(7)],
    ]);
    first.leave();
    second.leave();
  });

  it('goes on when the server is started again: listened for anew, told that lists may have changed', async () => {
    expectNothingLeft();
    const world = sdkWorld();
    const agent = modernAgent(world, 'g_1');
    const reader = new EventReader(await agent.send('sub', 'subscriptions/listen', filter));
    await reader.has(1);
    world.upstream.restart('Restart Server');
    await reader.has(3);
    await agent.post(3, 'tools/call', { name: 'test_trigger_tool_change', arguments: {} });
    expect((await reader.has(4)).map(({ method }) => method)).toEqual([
      'notifications/subscriptions/acknowledged',
      'notifications/tools/list_changed',
      'notifications/prompts/list_changed',
      'notifications/tools/list_changed',
    ]);
    expect(pids(world)).toHaveLength(2);
    reader.leave();
  });
});

it('a subscription that comes while the server is away is made once', async () => {
  const server = await settableServer();
  const world = stdioWorld(server.flags);
  const agent = modernAgent(world, 'g_1');
  await agent.post(1, 'ping');
  world.upstream.restart('Restart Server');
  await agent.post('sub', 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  await agent.post(2, 'ping');
  expect((await server.heard()).flat().filter((line) => line.includes('subscriptions/listen'))).toHaveLength(1);
});

describe('a modern call whose server dies', () => {
  it('is answered that it may be tried again, not sent again, and the next one is served', async () => {
    const server = await settableServer();
    const world = stdioWorld(server.flags);
    const agent = modernAgent(world, 'g_1');
    await agent.post(1, 'ping');
    const died = await agent.post('d', 'exit', { code: 1 });
    expect([died.status, died.json]).toMatchObject([
      200,
      { id: 'd', error: { code: -32011, data: { retryable: true } } },
    ]);
    expect((await agent.post(2, 'ping')).status).toBe(200);
    expect((await server.heard()).flat().filter((line) => line.includes('"exit"'))).toHaveLength(1);
  });

  it('and stays away is answered that it may be tried again, and never sent', async () => {
    const clock = new FakeClock();
    const server = await settableServer();
    const limits = { restartBaseMs: 1_000_000, restartMaxMs: 1_000_000, awayMs: 1_000 };
    const world = stdioWorld(server.flags, { limits, clock, random: () => 1 });
    const agent = modernAgent(world, 'g_1');
    await agent.post(1, 'ping');
    await server.set({ exit: 3 });
    await agent.post(2, 'exit', { code: 1 });
    await until(() => world.events.filter(({ kind }) => kind === 'exited').length === 2);
    const waiting = agent.post(3, 'tools/list', { dangerous: true });
    await setImmediate(); // Now it waits.
    clock.advance(1_000);
    expect((await waiting).json).toMatchObject({ id: 3, error: { code: -32011, data: { retryable: true } } });
    await server.set({});
    const next = agent.post(4, 'ping');
    world.upstream.restart('Restart Server');
    expect((await next).status).toBe(200);
    expect((await server.heard()).flat().filter((line) => line.includes('dangerous'))).toEqual([]);
  });

  it('at its very start says why, and the next call tries anew', async () => {
    const world = stdioWorld(['--exit']);
    const agent = modernAgent(world, 'g_1');
    for (const id of [1, 2]) await expect(agent.post(id, 'ping')).rejects.toMatchObject({ code: 'UPSTREAM_START' });
    expect(world.events.filter(({ kind }) => kind === 'started')).toHaveLength(2);
  });

  it('or cannot be started at all is tried anew, too: it may have been built meanwhile', async () => {
    const command = join(await temporaryFolder(), 'server');
    const agent = modernAgent(stdioWorld([], { command }), 'g_1');
    await expect(agent.post(1, 'ping')).rejects.toMatchObject({ code: 'UPSTREAM_START' });
    await symlink(process.execPath, command);
    expect((await agent.post(2, 'ping')).status).toBe(200);
  });

  it('or says nothing from the start does not wait for ever', async () => {
    const silent = ['-e', 'process.stdin.resume(); setInterval(() => {}, 1000)'];
    const world = stdioWorld([], { args: silent, limits: { startTimeoutMs: 200 } });
    await expect(modernAgent(world, 'g_1').post(1, 'never')).rejects.toMatchObject({ code: 'UPSTREAM_START' });
  });
});

it('a first call may take longer than a server may take to start: it is asked something short beside it', async () => {
  const clock = new FakeClock();
  const server = await settableServer();
  const world = stdioWorld(server.flags, { clock });
  const answer = modernAgent(world, 'g_1').send(1, 'never');
  // One timer ends the start, one makes a stream of what takes long.
  await until(() => clock.pending === 2);
  await until(() => clock.pending === 1);
  clock.advance(stdioLimits.startTimeoutMs);
  const { status, headers, body } = await answer;
  expect([status, headers['content-type']]).toEqual([200, 'text/event-stream']);
  expect(body?.errored).toBeNull();
  const [first] = (await server.heard())[0]!;
  expect(JSON.parse(first!)).toMatchObject({
    method: 'server/discover',
    params: { _meta: { [metaKey.protocolVersion]: '2026-07-28', [metaKey.clientCapabilities]: {} } },
  });
  body?.destroy();
});

it('a server that no longer reads is not fed with notifications for ever: 503', async () => {
  const world = stdioWorld([], { limits: { maxUnreadInputBytes: 100_000 } });
  const agent = modernAgent(world, 'g_1');
  await agent.post(1, 'deaf');
  const statuses: number[] = [];
  for (let count = 0; count < 20; count += 1) {
    statuses.push((await agent.notify('notifications/x', { text: 'x'.repeat(50_000) })).status);
  }
  expect(statuses[0]).toBe(202);
  expect(statuses.at(-1)).toBe(503);
});

describe('what the modern transport refuses', () => {
  it.each(['GET', 'DELETE'] as const)('%s: 405, session or not', async (method) => {
    const answer = await stdioWorld().open({ method, headers: { 'mcp-protocol-version': '2026-07-28' } });
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'POST']);
  });

  it.each([
    ['a missing Mcp-Method', { 'mcp-protocol-version': '2026-07-28' }, 'mcp-method'],
    ['a missing MCP-Protocol-Version', { 'mcp-method': 'tools/call', 'mcp-name': 'x' }, 'mcp-protocol-version'],
    ['a missing Mcp-Name', { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' }, 'mcp-name'],
  ])('%s: 400', async (_what, headers, missing) => {
    const world = stdioWorld();
    const body = bodyOf(modernRequest(3, 'tools/call', { name: 'x' } as object));
    const answer = await answerOf(await world.open({ ...body, era: 'modern', headers }));
    expect([answer.status, answer.json]).toMatchObject([400, { id: 3, error: { code: -32020 } }]);
    expect(answer.json.error?.message).toContain(missing);
    expect(world.events).toEqual([]);
  });

  it('a request without its envelope, before a server of both eras takes it for one of the older', async () => {
    const world = stdioWorld();
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' };
    const body = bodyOf({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: {} });
    const answer = await answerOf(await world.open({ ...body, era: 'modern', headers }));
    expect([answer.status, answer.json]).toMatchObject([400, { id: 1, error: { code: -32602 } }]);
  });

  it('a revision and a method that the server does not know, with the statuses of this transport', async () => {
    const world = sdkWorld();
    const agent = modernAgent(world, 'g_1');
    const method = await agent.post(1, 'no/such');
    expect([method.status, method.json]).toMatchObject([404, { id: 1, error: { code: -32601 } }]);
    const body = bodyOf(modernRequest(2, 'tools/list', { _meta: { [metaKey.protocolVersion]: '2027-01-01' } }));
    const headers = { 'mcp-protocol-version': '2027-01-01', 'mcp-method': 'tools/list' };
    const version = await answerOf(await world.open({ ...body, era: 'modern', headers }));
    expect([version.status, version.json]).toMatchObject([
      400,
      { id: 2, error: { code: -32022, data: { supported: ['2026-07-28'], requested: '2027-01-01' } } },
    ]);
  });

  it('more calls of one principal than may wait', async () => {
    const world = stdioWorld([], { limits: { maxPendingRequests: 2, jsonAnswerMs: 1 } });
    const [one, two] = [modernAgent(world, 'g_1'), modernAgent(world, 'g_2')];
    await Promise.all([one.send(1, 'never'), one.send(2, 'never')]);
    expect((await one.post(3, 'ping')).status).toBe(429);
    expect((await two.post(3, 'ping')).status).toBe(200);
  });
});
