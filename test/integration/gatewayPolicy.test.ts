// What policy and grants keep from an agent: denied calls, hidden entries of lists, and that the audit log knows of a
// call before the server does.
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../src/core/errors.ts';
import { SseReader, type SseEvent } from '../../src/core/sse.ts';
import { StdioUpstream } from '../../src/upstream/stdioUpstream.ts';
import { callHttp1, callHttp2, connectAgent2, type Answer } from '../support/agents.ts';
import {
  aGateway,
  bodyOf,
  json,
  mcpHeaders,
  post,
  request,
  resultOf,
  sse,
  type GatewayWorld,
} from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

type Message = { id: unknown; error?: { code: number; message: string }; result?: { tools?: { name: string }[] } };

/** A server that gives its list only when it is pinged, as the answer to whoever asked for it long ago. */
const lateLists = `
  const say = (id, result) => console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  let asked;
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line);
    if (method === 'initialize') say(id, { protocolVersion: '2025-03-26', capabilities: {}, serverInfo: {} });
    if (method === 'tools/list') asked = id;
    if (method === 'ping') say(asked, { tools: [{ name: 'get_time' }, { name: 'delete_all' }] });
  });
`;

const parse = (answer: Answer): Message => JSON.parse(answer.body.toString()) as Message;

const policy = {
  agents: { '*': { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'], deny: ['delete*'] } },
};

const echo = request('tools/call', { name: 'echo', arguments: { text: 'hello' } }, 'call-1');
const deletion = request('tools/call', { name: 'delete_all', arguments: {} }, 'call-1');

describe('a denied call', () => {
  it('is answered with its own id and a reason, and the server never hears of it', async () => {
    const world = await aGateway({ policy });
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const body = Buffer.from(JSON.stringify(deletion));
    const second = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token), body };
    for (const answer of [await post(world, deletion), await callHttp2(session, second)]) {
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe('application/json');
      const error = { code: -32010, message: expect.stringContaining('delete_all') as string };
      expect(parse(answer)).toEqual({ jsonrpc: '2.0', id: 'call-1', error });
    }
    expect(world.upstream.heard).toEqual([]);
    const row = world.rows()[0];
    expect(row).toMatchObject({ status: 'denied', method: 'tools/call', name: 'delete_all', rpcCode: -32010 });
    expect(world.detail(row).rule).toContain('deny[0]');
    expect(world.audit.records[0]).toMatchObject({ kind: 'call', name: 'delete_all', decision: 'deny' });
    expect(world.gateway.agents.list()).toMatchObject([{ grant: { name: 'tester' }, calls: 0, refused: 2 }]);
  });

  it('denies the batch that it is in, each request with its id', async () => {
    const world = await aGateway({ policy });
    const note = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } };
    const answer = await post(world, [{ ...echo, id: 7 }, note, deletion]);
    expect(answer.status).toBe(200);
    const messages = JSON.parse(answer.body.toString()) as Message[];
    expect(messages.map(({ id, error }) => [id, error?.code])).toEqual([
      [7, -32010],
      ['call-1', -32010],
    ]);
    expect(world.upstream.heard).toEqual([]);
    expect(world.audit.records.map(({ method }) => method)).toEqual([
      'tools/call',
      'notifications/progress',
      'tools/call',
    ]);
  });

  it('that is a notification is dropped like one that was taken', async () => {
    const world = await aGateway({ policy });
    const { id: _id, ...notification } = deletion as Record<string, unknown>;
    const answer = await post(world, notification);
    expect([answer.status, answer.body.toString()]).toEqual([202, '']);
    expect(world.upstream.heard).toEqual([]);
    expect(world.rows()[0]).toMatchObject({ status: 'denied' });
  });

  it('is denied by a policy that cannot be read, streams and ends of sessions included', async () => {
    const world = await aGateway({ policy: { agents: 'x' } });
    for (const method of ['GET', 'DELETE']) {
      const answer = await callHttp1(world.target, { method, path: '/mcp', headers: mcpHeaders(world.token) });
      expect(answer.status).not.toBe(200);
    }
    expect(parse(await post(world, request('initialize'))).error?.code).toBe(-32010);
    expect(world.upstream.heard).toEqual([]);
  });
});

describe('a grant', () => {
  const tools = [
    { name: 'echo', annotations: { readOnlyHint: true } },
    { name: 'write', annotations: { readOnlyHint: false } },
    { name: 'odd' },
  ];

  it('that names tools gives those tools alone', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, { tools }) });
    const { token } = await world.grantFor({ tools: ['echo'] });
    const agent = { ...world, token };
    expect(parse(await post(agent, request('tools/list'))).result?.tools?.map(({ name }) => name)).toEqual(['echo']);
    expect((await post(agent, echo)).body.toString()).toContain('result');
    world.upstream.heard.length = 0;
    for (const denied of [
      request('tools/call', { name: 'write' }),
      request('prompts/list'),
      request('prompts/get', { name: 'p' }),
      request('resources/list'),
      request('resources/templates/list'),
      request('resources/read', { uri: 'file:///x' }),
      request('resources/subscribe', { uri: 'file:///x' }),
      request('completion/complete', { ref: { type: 'ref/prompt', name: 'p' } }),
      request('logging/setLevel', { level: 'debug' }),
    ]) {
      expect(parse(await post(agent, denied)).error?.code, JSON.stringify(denied)).toBe(-32010);
    }
    expect(world.upstream.heard).toEqual([]);
  });

  it('that only reads refuses what has not declared itself read-only, and what nobody knows yet', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, { tools }) });
    const { token } = await world.grantFor({ readOnly: true });
    const agent = { ...world, token };
    const code = async (name: string): Promise<number | undefined> =>
      parse(await post(agent, request('tools/call', { name }))).error?.code;
    expect(await code('echo')).toBe(-32010);
    expect(world.upstream.heard).toEqual([]);
    expect(parse(await post(agent, request('tools/list'))).result?.tools?.map(({ name }) => name)).toEqual(['echo']);
    expect(await Promise.all(['echo', 'write', 'odd', 'other'].map(code))).toEqual([undefined, -32010, -32010, -32010]);
  });
});

describe('a list', () => {
  const whole =
    '{ "result" : {"nextCursor":"c",\n "tools":[ {"name":"echo","x":1e2} , {"name":"delete_all"},{"name":"\\u0064elete_one"}, {"name":"b"} ]} , "id":1,"jsonrpc":"2.0"}';
  const visible =
    '{ "result" : {"nextCursor":"c",\n "tools":[ {"name":"echo","x":1e2}, {"name":"b"} ]} , "id":1,"jsonrpc":"2.0"}';

  it('comes without what is denied and otherwise byte for byte as JSON', async () => {
    const world = await aGateway({ policy, answer: () => json(whole) });
    const answer = await post(world, request('tools/list'));
    expect(answer.body.toString()).toBe(visible);
    expect(world.rows()[0]?.flags).toContain('filtered');
    // The developer sees what the server said.
    expect(world.detail(world.rows()[0]).messages[0]?.text).toContain('delete_all');
  });

  it('in which nothing is hidden is not touched and not marked', async () => {
    const world = await aGateway({ policy, answer: () => json(visible) });
    expect((await post(world, request('tools/list'))).body.toString()).toBe(visible);
    expect(world.rows()[0]?.flags).toEqual([]);
  });

  it.each(['1', '"1"', 'null', '99'])('with the id %s is filtered, too', async (id) => {
    const world = await aGateway({ policy, answer: () => json(whole.replace('"id":1', `"id":${id}`)) });
    expect((await post(world, request('tools/list'))).body.toString()).not.toMatch(/delete|\\u0064/);
  });

  it.each(['JSON', 'events'])('as the answer to another call, as %s, is filtered, too', async (kind) => {
    const event = Buffer.from(`data: ${whole.replaceAll('\n', '\ndata: ')}\n\n`);
    const world = await aGateway({ policy, answer: () => (kind === 'JSON' ? json(whole) : sse(bodyOf([event]))) });
    for (const method of ['tools/call', 'ping']) {
      const answer = await post(world, request(method, { name: 'echo', arguments: {} }));
      expect(answer.body.toString()).toContain('"tools"');
      expect(answer.body.toString()).not.toMatch(/delete|\\u0064/);
    }
  });

  it('with its field written in escapes is filtered, too', async () => {
    const escaped = whole.replace('"tools"', '"\\u0074ools"');
    const world = await aGateway({ policy, answer: () => json(escaped) });
    expect((await post(world, request('ping'))).body.toString()).not.toMatch(/delete|\\u0064/);
  });

  it('of a withdrawn call is not taken whole for the answer to a later one with its id', async () => {
    const server = new StdioUpstream({ command: process.execPath, args: ['-e', lateLists], env: {}, cwd: '/' });
    onTestFinished(() => server.close());
    const world = await aGateway({
      policy: { ...policy, limits: { requestsPerMinute: 10_000 } },
      answer: (sent) => server.forward(sent),
    });
    const clientInfo = { name: 'a', version: '1' };
    const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo };
    const begun = await post(world, request('initialize', params, 'i'));
    const headers = { 'mcp-session-id': String(begun.headers['mcp-session-id']) };
    const withdrawn = (method: string, id: string): object[] => [
      request(method, {}, id),
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } },
    ];
    await post(world, withdrawn('tools/list', 'x'), { headers });
    // So many more that the first is no longer remembered as withdrawn.
    for (let round = 0; round < 6; round += 1) {
      const batch = Array.from({ length: 50 }, (_, at) => withdrawn('slow', `${round}-${at}`)).flat();
      await post(world, batch, { headers });
    }
    const answer = await post(world, request('ping', {}, 'x'), { headers });
    expect(answer.body.toString()).toContain('get_time');
    expect(answer.body.toString()).not.toContain('delete_all');
  });

  it('behind a byte order mark is filtered, too', async () => {
    const world = await aGateway({ policy, answer: () => json(`\uFEFF${whole}`) });
    expect((await post(world, request('tools/list'))).body.toString()).toBe(`\uFEFF${visible}`);
  });

  it('in the answer to a batch is filtered, and what stands around it stays', async () => {
    const other = '{"jsonrpc":"2.0","id":2,"result":{"tools":"delete_all"}}';
    const world = await aGateway({ policy, answer: () => json(` [ ${other} ,${whole}]\n`) });
    const answer = await post(world, [request('tools/list'), request('ping', {}, 2)]);
    expect(answer.body.toString()).toBe(` [ ${other} ,${visible}]\n`);
  });

  it('that is compressed although nobody asked is not passed on', async () => {
    const world = await aGateway({ policy, answer: () => json(whole, { 'content-encoding': 'gzip' }) });
    const answer = await post(world, request('tools/list'));
    expect([answer.status, parse(answer)]).toMatchObject([502, { id: 1, error: { code: -32011 } }]);
  });

  const events = (text: string): string =>
    `: hello\r\n\r\nid: 0\r\ndata: \r\n\r\nevent: message\nid: 7\n${text
      .split('\n')
      .map((line) => `data: ${line}\n`)
      .join('')}\n: bye\n\n`;

  it.each([1, 7, 10_000])('in an event stream is filtered, in chunks of %i bytes', async (size) => {
    const bytes = Buffer.from(events(whole));
    const world = await aGateway({ policy, answer: () => sse(bodyOf(pieces(bytes, size))) });
    const answer = await post(world, request('tools/list'));
    const seen = eventsOf(answer.body);
    expect(seen.filter(({ data }) => data !== '')).toMatchObject([{ id: '7', type: 'message', data: visible }]);
    const around = events('').split('event: message');
    expect(answer.body.toString().startsWith(around[0]!)).toBe(true);
    expect(answer.body.toString().endsWith(': bye\n\n')).toBe(true);
  });

  it('is filtered in the stream that resumes it', async () => {
    const world = await aGateway({ policy, answer: () => sse(bodyOf([Buffer.from(events(whole))])) });
    const headers = { ...mcpHeaders(world.token), 'last-event-id': '0' };
    const answer = await callHttp1(world.target, { method: 'GET', path: '/mcp', headers });
    expect(eventsOf(answer.body).find(({ data }) => data !== '')?.data).toBe(visible);
    expect(answer.body.toString()).not.toContain('delete');
  });

  it('in an event that was never finished is not passed on', async () => {
    const world = await aGateway({
      policy,
      answer: () => sse(bodyOf([Buffer.from(`data: ${whole.replace('\n', '')}`)])),
    });
    expect((await post(world, request('tools/list'))).body.toString()).toBe('');
    world.upstream.answer = () => sse(bodyOf([Buffer.from(': unfinished')]));
    expect((await post(world, request('tools/list'))).body.toString()).toBe(': unfinished');
  });
});

describe('the audit log', () => {
  it('knows of a call before the server does, and of its outcome after', async () => {
    let known: string[] = [];
    const world: GatewayWorld = await aGateway({
      answer: (sent) => {
        known = world.audit.records.map(({ kind }) => String(kind));
        return resultOf(sent, { content: [], isError: true });
      },
    });
    await post(world, echo);
    expect(known).toEqual(['call']);
    await until(() => world.audit.records.length === 2);
    const [call, outcome] = world.audit.records;
    expect(call).toMatchObject({ method: 'tools/call', name: 'echo', decision: 'allow', visitor: '203.0.113.7' });
    expect(call).toHaveProperty('argumentsDigest');
    expect(outcome).toMatchObject({ kind: 'outcome', exchange: call?.['exchange'], status: 'tool-error' });
    expect(outcome).toMatchObject({ httpStatus: 200, latencyMs: expect.any(Number), serverMs: expect.any(Number) });
    expect(world.audit.text).not.toContain('hello');
  });

  it('holds the values of arguments only where the policy asks for them, and known secrets never', async () => {
    const world = await aGateway({
      answer: (sent) => resultOf(sent, {}),
      policy: { audit: { values: true } },
    });
    const token = `mcpt_${'a'.repeat(49)}`;
    await post(world, request('tools/call', { name: 'echo', arguments: { message: `hello ${token}` } }, 'call-1'));
    const [call] = world.audit.records;
    expect(call).toMatchObject({
      arguments: '{"name":"echo","arguments":{"message":"hello [redacted]"}}',
      argumentsDigest: expect.any(String),
    });
    expect(world.audit.text).not.toContain(token);
  });

  it('holds no secret that an agent writes into a name, a method or its own name', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const token = `mcpt_${'a'.repeat(49)}`;
    await post(world, request('resources/read', { uri: `https://example.com/?key=${token}` }));
    await post(world, request(`x/${token}`));
    await post(world, request('initialize', { clientInfo: { name: token, version: '1' } }));
    expect(world.audit.records.filter(({ kind }) => kind === 'call')).toMatchObject([
      { name: 'https://example.com/?key=[redacted]' },
      { method: 'x/[redacted]' },
      { agent: '[redacted] 1' },
    ]);
    expect(world.audit.text).not.toContain(token);
  });

  it('that does not answer keeps the call from the server', async () => {
    expectNothingLeft();
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    let release!: () => void;
    world.audit.hold = new Promise((resolve) => (release = resolve));
    const answer = post(world, echo);
    await until(() => decided(world) === 1);
    expect(world.upstream.heard).toEqual([]);
    release();
    expect((await answer).status).toBe(200);
    expect(world.upstream.heard).toHaveLength(1);
  });

  it.each(['GET', 'DELETE'])('keeps a %s from the server until it knows of it', async (method) => {
    const world = await aGateway();
    let release!: () => void;
    world.audit.hold = new Promise((resolve) => (release = resolve));
    const answer = callHttp1(world.target, { method, path: '/mcp', headers: mcpHeaders(world.token) });
    await until(() => decided(world) === 1);
    expect(world.upstream.heard).toEqual([]);
    release();
    expect((await answer).status).toBe(202);
    expect(world.upstream.heard).toHaveLength(1);
    expect(world.audit.records[0]).toMatchObject({ kind: 'call', principal: { grant: world.grant.id } });
  });

  it('that cannot be written refuses the call, tells the developer why, and nobody else', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    world.audit.failure = new TunnelError('STATE_UNWRITABLE', 'the audit log cannot be written: the disk is full');
    const answer = await post(world, echo);
    expect([answer.status, parse(answer)]).toMatchObject([500, { id: 'call-1', error: { code: -32603 } }]);
    expect(answer.body.toString()).not.toMatch(/audit|disk/);
    expect(world.upstream.heard).toEqual([]);
    expect(world.rows()[0]).toMatchObject({ status: 'failed', rpcCode: -32603 });
    expect(world.log.join('\n')).toContain('the disk is full');
    world.audit.failure = undefined;
    expect((await post(world, echo)).status).toBe(200);
    await until(() => world.audit.records.length === 2);
    // What was refused for want of a record leaves no outcome without its call.
    expect(world.audit.records.map(({ kind }) => kind)).toEqual(['call', 'outcome']);
  });

  it('a call whose agent or grant is gone by then does not reach the server', async () => {
    const world = await aGateway();
    let release!: () => void;
    world.audit.hold = new Promise((resolve) => (release = resolve));
    const left = new AbortController();
    const call = {
      method: 'POST',
      path: '/mcp',
      headers: mcpHeaders(world.token),
      body: Buffer.from(JSON.stringify(echo)),
    };
    const gone = callHttp1(world.target, call, left.signal).catch(() => 'gone');
    const other = await world.grantFor({}, { name: 'other' });
    const revoked = callHttp1(world.target, { ...call, headers: mcpHeaders(other.token) }).catch(() => 'gone');
    await until(() => decided(world) === 2);
    left.abort();
    await world.grants.revoke(other.grant.id);
    expect([await gone, await revoked]).toEqual(['gone', 'gone']);
    await until(() => world.unanswered() === 0);
    release();
    await until(() => world.rows().every(({ status }) => status === 'cancelled'));
    expect(world.rows().map(({ reason }) => reason)).toEqual(['the agent left', 'the grant was revoked']);
    expect(world.upstream.heard).toEqual([]);
  });
});

/** Calls that only the audit log holds up. */
function decided({ rows, detail }: GatewayWorld): number {
  return rows().filter((row) => 'decidedMs' in detail(row).timings).length;
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function eventsOf(bytes: Buffer): SseEvent[] {
  const events: SseEvent[] = [];
  new SseReader({ maxEventBytes: 1e9, onEvent: (event) => events.push(event) }).push(bytes);
  return events;
}
