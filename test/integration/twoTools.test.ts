// An agent with a read-only grant to two tools of the reference server, walking the whole protocol through a real tunnel:
// it can list exactly two tools, call them, and gets nothing else by any trick that is known.
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { SseReader } from '../../src/core/sse.ts';
import type { ServerTransport } from '../../src/core/server.ts';
import { callHttp1, openHttp1, type Answer, type Target } from '../support/agents.ts';
import { everythingPath } from '../support/command.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';

const given = ['echo', 'get-sum'];
const info = { name: 'walker', version: '1' };

type World = HelperWorld & { target: Target; token: string; session: string; tunnel: string };

/** Tunnel and session are made anew for each test: none finds what another left. */
async function walker(scope: object = { tools: given, readOnly: true }): Promise<World> {
  const here = await aHelper();
  const args = [everythingPath, 'stdio'];
  const transport: ServerTransport = { kind: 'stdio', command: process.execPath, args, env: {}, cwd: '/' };
  const { tunnel, token = '' } = await here.open({
    server: { inline: { name: 'everything', transport } },
    grant: { name: 'walker', scope, expiresMs: Date.now() + 3_600_000 },
  });
  const { hostname = '', url = '', caFile = '' } = tunnel;
  const target = { hostname, port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') };
  const session = await begin(target, token);
  const world = { ...here, target, token, session, tunnel: tunnel.id };
  await send(world, { jsonrpc: '2.0', method: 'notifications/initialized' });
  return world;
}

async function begin(target: Target, token: string): Promise<string> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: info };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  const answer = await post(target, token, body);
  expect(answer.status).toBe(200);
  return String(answer.headers['mcp-session-id']);
}

function post(
  target: Target,
  token: string,
  body: string | Buffer,
  more: Record<string, string> = {},
): Promise<Answer> {
  const bytes = Buffer.from(body);
  const headers = { ...mcpHeaders(token, more), 'content-length': `${bytes.length}` };
  return callHttp1(target, { method: 'POST', path: '/mcp', headers, body: bytes });
}

function send({ target, token, session }: World, message: unknown): Promise<Answer> {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  return post(target, token, text, { 'mcp-session-id': session, 'mcp-protocol-version': '2025-06-18' });
}

function ask(world: World, method: string, params?: JsonObject): Promise<Answer> {
  return send(world, { jsonrpc: '2.0', id: 7, method, ...(params ? { params } : {}) });
}

/** Every message of an answer, be it JSON or a stream. */
function messagesOf(answer: Answer): JsonObject[] {
  const text = answer.body.toString();
  if (!String(answer.headers['content-type']).startsWith('text/event-stream')) {
    const value = text === '' ? [] : (JSON.parse(text) as JsonValue);
    return (Array.isArray(value) ? value : [value]) as JsonObject[];
  }
  const messages: JsonObject[] = [];
  new SseReader({
    maxEventBytes: 1_000_000,
    onEvent: ({ data }) => void (data === '' || messages.push(JSON.parse(data) as JsonObject)),
  }).push(answer.body);
  return messages;
}

const results = (answer: Answer): JsonValue[] =>
  messagesOf(answer).flatMap(({ result }) => (result === undefined ? [] : [result]));

/** Nothing of the server's came back. */
function expectNothing(answer: Answer): void {
  expect(results(answer)).toEqual([]);
  if (answer.status < 300 && answer.body.length > 0) {
    for (const message of messagesOf(answer)) expect(message).toHaveProperty('error');
  }
}

const call = (name: string, args: JsonObject = {}): JsonObject => ({ name, arguments: args });
const message = (method: string, params: JsonObject, id: JsonValue = 7): JsonObject => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});

/** Names of the server's own, all of them kept from the agent but `given`. */
const hidden = ['get-env', 'get-tiny-image', 'simple-prompt', 'demo://resource', 'test://'];

describe('an agent with a read-only grant to two tools', () => {
  it('lists exactly the two, and calls them', async () => {
    const world = await walker();
    const [list] = results(await ask(world, 'tools/list')) as [{ tools: { name: string }[] }];
    expect(list.tools.map(({ name }) => name)).toEqual(given);
    const [echoed] = results(await ask(world, 'tools/call', call('echo', { message: 'hello' })));
    expect(JSON.stringify(echoed)).toContain('hello');
    const [summed] = results(await ask(world, 'tools/call', call('get-sum', { a: 2, b: 40 })));
    expect(JSON.stringify(summed)).toContain('42');
  });

  it('gets nothing else that the server has, by any of its methods', async () => {
    const world = await walker();
    const { tools } = await world.peer.request('rules/tools', { tunnel: world.tunnel });
    const others = tools.map(({ name }) => name).filter((name) => !given.includes(name));
    expect(others.length).toBeGreaterThan(5);
    for (const name of others) expectNothing(await ask(world, 'tools/call', call(name)));
    const uri = 'demo://resource/dynamic/text/1';
    const methods: [string, JsonObject?][] = [
      ['prompts/list'],
      ['prompts/get', { name: 'simple-prompt' }],
      ['resources/list'],
      ['resources/read', { uri }],
      ['resources/templates/list'],
      ['resources/subscribe', { uri }],
      ['resources/unsubscribe', { uri }],
      [
        'completion/complete',
        { ref: { type: 'ref/prompt', name: 'completable-prompt' }, argument: { name: 'department', value: 'E' } },
      ],
      [
        'completion/complete',
        {
          ref: { type: 'ref/resource', uri: 'demo://resource/dynamic/text/{resourceId}' },
          argument: { name: 'resourceId', value: '1' },
        },
      ],
      ['subscriptions/listen', { notifications: { resourceSubscriptions: [uri] } }],
      ['tasks/list'],
      ['tasks/get', { taskId: '1' }],
      ['tasks/result', { taskId: '1' }],
      ['tasks/cancel', { taskId: '1' }],
      ['logging/setLevel', { level: 'debug' }],
      ['sampling/createMessage', { messages: [] }],
      ['roots/list'],
      ['vendor/anything'],
    ];
    for (const [method, params] of methods) expectNothing(await ask(world, method, params));
  });

  it('is not let through by another way of writing a method or a name', async () => {
    const world = await walker();
    const methods = [
      'Tools/Call',
      'TOOLS/CALL',
      'tools/call ',
      ' tools/call',
      'tools//call',
      'tools/call\u200b',
      'ｔools/call',
      'tools/call\u0000',
      'tools.call',
      'tools/callMany',
    ];
    for (const method of methods) expectNothing(await ask(world, method, call('get-env')));
    for (const method of ['Tools/List', 'tools/list ', 'tools/list\u200d']) expectNothing(await ask(world, method));
    // The first three look like `echo`; none of them is.
    const names = [
      'Echo',
      'есho',
      'ｅcho',
      'echo ',
      'echo\u0000',
      'echo\n',
      '../get-env',
      'echo/../get-env',
      'echo,get-env',
      '*',
      '',
      '__proto__',
    ];
    for (const name of names) expectNothing(await ask(world, 'tools/call', call(name)));
    for (const name of [null, 7, ['get-env'], { name: 'get-env' }]) {
      expectNothing(await ask(world, 'tools/call', { name, arguments: {} }));
    }
    expectNothing(await send(world, { jsonrpc: '2.0', id: 7, method: 'tools/call', params: ['get-env'] }));
  });

  it('is not let through by what two readers read in two ways', async () => {
    const world = await walker();
    const bodies = [
      '{"jsonrpc":"2.0","id":7,"method":"tools/list","method":"prompts/list"}',
      '{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call","params":{"name":"get-env"}}',
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","name":"get-env","arguments":{}}}',
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"get-env","\\u006eame":"echo","arguments":{}}}',
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo"},"params":{"name":"get-env"}}',
      '{"jsonrpc":"2.0","id":7,"method":"ping"}{"jsonrpc":"2.0","id":8,"method":"prompts/list"}',
      '{"jsonrpc":"2.0","id":7,"method":"ping"}\n{"jsonrpc":"2.0","id":8,"method":"prompts/list"}',
      '\ufeff{"jsonrpc":"2.0","id":7,"method":"prompts/list"}',
    ];
    for (const body of bodies) expectNothing(await send(world, body));
    const utf16 = Buffer.from(JSON.stringify(message('prompts/list', {})), 'utf16le');
    const session = { 'mcp-session-id': world.session };
    expectNothing(
      await post(world.target, world.token, utf16, {
        ...session,
        'content-type': 'application/json; charset=utf-16le',
      }),
    );
    // Headers that say the allowed thing beside a body that says another.
    const body = JSON.stringify(message('tools/call', call('get-env')));
    for (const headers of [
      { 'mcp-method': 'tools/list' },
      { 'mcp-name': 'echo' },
      { 'x-http-method-override': 'GET' },
    ]) {
      expectNothing(
        await post(world.target, world.token, body, { ...session, ...(headers as Record<string, string>) }),
      );
    }
    // A call without an id is a call; there is nobody to answer, and nothing happens.
    expectNothing(
      await send(world, { jsonrpc: '2.0', method: 'tools/call', params: call('toggle-simulated-logging') }),
    );
  });

  it('is not let through by a batch', async () => {
    const world = await walker();
    const good = message('tools/call', call('echo', { message: 'x' }), 1);
    for (const bad of [message('prompts/list', {}, 2), message('tools/call', call('get-env'), 2)]) {
      expectNothing(await send(world, [good, bad]));
      expectNothing(await send(world, [bad, good]));
      expectNothing(await send(world, [[bad]]));
    }
    const seen = JSON.stringify(results(await send(world, [message('tools/list', {}, 1), message('ping', {}, 2)])));
    for (const name of hidden) expect(seen).not.toContain(name);
  });

  it('has no use of another session, another path or another method of the same port', async () => {
    const world = await walker();
    const { grant, token: foreign } = await world.peer.request('grants/add', {
      name: 'other',
      servers: ['*'],
      scope: {},
      expiresMs: Date.now() + 3_600_000,
    });
    expect(grant.name).toBe('other');
    const theirs = await begin(world.target, foreign);
    const stolen = { ...world, session: theirs };
    expect((await ask(stolen, 'tools/list')).status).toBe(404);
    expect((await ask(stolen, 'tools/call', call('echo', { message: 'x' }))).status).toBe(404);
    const headers = { ...mcpHeaders(world.token), 'mcp-session-id': theirs };
    expect((await callHttp1(world.target, { method: 'GET', path: '/mcp', headers })).status).toBe(404);
    expect((await callHttp1(world.target, { method: 'DELETE', path: '/mcp', headers })).status).toBe(404);

    const own = { ...mcpHeaders(world.token), 'mcp-session-id': world.session };
    const paths = [
      '/',
      '/mcp/',
      '/mcp/x',
      '//mcp',
      '/MCP',
      '/mcp%2f',
      '/./mcp',
      '/sse',
      '/message',
      '/messages',
      '/x/../mcp',
      '/.well-known/mcp',
    ];
    for (const path of paths) {
      const answer = await callHttp1(world.target, { path, headers: own });
      expect([path, answer.status]).toEqual([path, 404]);
    }
    for (const method of ['PUT', 'PATCH', 'TRACE', 'HEAD']) {
      expect((await callHttp1(world.target, { method, path: '/mcp', headers: own })).status).toBe(405);
    }
    expect((await ask({ ...world, token: foreign, session: theirs }, 'tools/list')).status).toBe(200);
  });

  it('hears nothing on its stream that it may not have', async () => {
    const world = await walker();
    const headers = { ...mcpHeaders(world.token), 'mcp-session-id': world.session };
    const stream: IncomingMessage = await openHttp1(world.target, { method: 'GET', path: '/mcp', headers });
    onTestFinished(() => void stream.destroy());
    let heard = '';
    stream.setEncoding('utf8').on('data', (text: string) => (heard += text));
    expect(stream.statusCode).toBe(200);
    for (const name of ['toggle-simulated-logging', 'toggle-subscriber-updates']) {
      expectNothing(await ask(world, 'tools/call', call(name)));
    }
    expectNothing(await ask(world, 'resources/subscribe', { uri: 'demo://resource/dynamic/text/1' }));
    const ended = new Promise((resolve) => stream.once('close', resolve));
    await callHttp1(world.target, { method: 'DELETE', path: '/mcp', headers });
    await ended;
    for (const name of hidden) expect(heard).not.toContain(name);
    expect(heard).not.toContain('"result"');
  });

  it('cannot be made to write by a tool that does not say what it does', async () => {
    const world = await walker({ tools: ['*'], readOnly: true });
    const { tools } = await world.peer.request('rules/tools', { tunnel: world.tunnel });
    const writing = tools.filter(({ readOnly }) => !readOnly).map(({ name }) => name);
    const [list] = results(await ask(world, 'tools/list')) as [{ tools: { name: string }[] }];
    expect(list.tools.map(({ name }) => name)).toEqual(
      tools.map(({ name }) => name).filter((name) => !writing.includes(name)),
    );
    for (const name of writing) expectNothing(await ask(world, 'tools/call', call(name)));
  });
});
