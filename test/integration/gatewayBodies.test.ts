// Bodies and sessions that the gateway refuses: too large, ambiguous, somebody else's. The server never hears of them.
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { connect } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { callHttp1, callHttp2, connectAgent2, type Answer, type Call } from '../support/agents.ts';
import {
  aGateway,
  hostname,
  json,
  mcpHeaders,
  post,
  request,
  resultOf,
  type GatewayWorld,
} from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';

const list = JSON.stringify(request('tools/list'));

/** A POST that would be let through if nothing else were wrong with it. */
function send(world: GatewayWorld, more: Call): Promise<Answer> {
  return post(world, list, more);
}

function errorOf(answer: Answer): { code: number; message: string } {
  return (JSON.parse(answer.body.toString()) as { error: { code: number; message: string } }).error;
}

describe('bodies', () => {
  const policy = { limits: { maxBodyBytes: 1000 } };

  it.each([
    ['little is waited for', 1001, true],
    ['much is not', 1_000_000, false],
  ])('over the limit are refused by what they declare, before they are sent: %s', async (_what, declared, stays) => {
    const world = await aGateway({ policy });
    const socket = connect({ host: '127.0.0.1', port: world.target.port, servername: hostname, ca: world.target.ca });
    onTestFinished(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${world.token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${declared}\r\n\r\n`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 413 /);
    expect(/^connection: close\r$/im.test(first.toString())).toBe(!stays);
    if (stays) {
      // The connection is good for another request once the body has come.
      socket.write(`${' '.repeat(declared)}GET /x HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
      const [second] = (await once(socket, 'data')) as [Buffer];
      expect(second.toString()).toMatch(/^HTTP\/1\.1 404 /);
    } else await once(socket, 'close');
    expect(world.upstream.heard).toEqual([]);
  });

  it.each([1001, 1_000_000, 20_000_000])('of %i bytes without a length are refused', async (size) => {
    expectNothingLeft();
    const world = await aGateway({ policy });
    const chunks = (): Readable => Readable.from(blocksOf(size), { objectMode: false });
    const answer = await post(world, chunks());
    expect(answer.status).toBe(413);
    expect(errorOf(answer)).toMatchObject({ code: -32012, message: expect.stringContaining('1000') as string });
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    const headers = mcpHeaders(world.token);
    const second = await callHttp2(session, { method: 'POST', path: '/mcp', headers, body: chunks() });
    expect(second.status).toBe(413);
    // The connection is as good as before for other calls.
    const third = await callHttp2(session, { method: 'POST', path: '/mcp', headers, body: Buffer.from('{') });
    expect(third.status).toBe(400);
    expect(world.upstream.heard).toEqual([]);
  });

  it('of exactly the limit are read, however they are cut', async () => {
    const world = await aGateway({ policy, answer: (sent) => resultOf(sent, { tools: [] }) });
    const body = JSON.stringify(request('tools/list', { x: 'y'.repeat(1000) })).slice(0, -1);
    const exact = JSON.stringify(request('tools/list', { x: 'y'.repeat(1000 - (body.length + 1 - 1000)) }));
    expect(exact).toHaveLength(1000);
    const bytes = Readable.from(
      exact.split('').map((char) => Buffer.from(char)),
      { objectMode: false },
    );
    expect((await post(world, bytes)).status).toBe(200);
    expect(world.upstream.heard[0]?.body?.toString()).toBe(exact);
  });

  it.each([
    ['nothing', '', -32700],
    ['no JSON', '{', -32700],
    ['two messages without a list', `${list}${list}`, -32700],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), -32700],
    ['a byte order mark', `\uFEFF${list}`, -32700],
    ['the same key twice', '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}', -32700],
    ['the same name twice', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', -32700],
    ['a number', '42', -32600],
    ['no version', '{"id":1,"method":"tools/list"}', -32600],
    ['an empty batch', '[]', -32600],
    ['null for an id', '{"jsonrpc":"2.0","id":null,"method":"tools/list"}', -32600],
  ])('that are %s are refused', async (_what, body, code) => {
    const world = await aGateway();
    const answer = await callHttp1(world.target, {
      method: 'POST',
      path: '/mcp',
      headers: mcpHeaders(world.token),
      body: Buffer.from(body),
    });
    expect([answer.status, errorOf(answer).code]).toEqual([400, code]);
    expect(world.upstream.heard).toEqual([]);
    expect(world.rows().at(-1)).toMatchObject({ status: 'error', httpStatus: 400, rpcCode: code });
  });

  // Body parsers of servers decode what these headers say, and would find another message than the gateway did.
  it.each([
    { 'content-type': 'application/json; charset=utf-7' },
    { 'content-type': 'application/json; charset=utf-16le' },
    { 'content-type': 'application/json; charset=utf-8; charset=utf-7' },
    { 'content-type': 'text/plain' },
    { 'content-encoding': 'br' },
    { 'content-encoding': 'identity, gzip' },
  ])('that come as %o are refused', async (headers) => {
    const world = await aGateway();
    expect((await send(world, { headers })).status).toBe(415);
    expect(world.upstream.heard).toEqual([]);
  });

  it.each(['application/json;charset=utf-8', 'Application/JSON; charset="UTF-8"'])(
    'that are %s are read',
    async (type) => {
      const world = await aGateway({ answer: (sent) => resultOf(sent, { tools: [] }) });
      expect((await send(world, { headers: { 'content-type': type } })).status).toBe(200);
    },
  );

  it('that headers contradict are refused with the id of the call', async () => {
    const world = await aGateway();
    const answer = await send(world, { headers: { 'mcp-method': 'tools/call' } });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ id: 1, error: { code: -32020 } });
    expect(world.upstream.heard).toEqual([]);
  });
});

describe('sessions', () => {
  const initialize = request('initialize', { protocolVersion: '2025-11-25', clientInfo: { name: 'a', version: '1' } });
  const issuing = (): Promise<GatewayWorld> =>
    aGateway({
      answer: (sent) => {
        const [message] = sent.messages;
        const isInitialize = message?.kind === 'request' && message.method === 'initialize';
        const result = { jsonrpc: '2.0', id: 1, result: {} };
        return json(result, isInitialize ? { 'mcp-session-id': 'session-1' } : {});
      },
    });

  it('that were never issued are not found', async () => {
    const world = await issuing();
    for (const id of ['session-1', 'a b', 'ü', 'x'.repeat(513)]) {
      const answer = await send(world, { headers: { 'mcp-session-id': Buffer.from(id).toString('latin1') } });
      expect([answer.status, errorOf(answer).code]).toEqual([404, -32001]);
    }
    expect(world.upstream.heard).toEqual([]);
  });

  it('of another principal are answered like unknown ones, and the attempt is written down', async () => {
    const world = await issuing();
    expect((await post(world, initialize)).headers['mcp-session-id']).toBe('session-1');
    const other = await world.grantFor({}, { name: 'other' });
    const headers = { 'mcp-session-id': 'session-1' };
    const theirs = await post({ ...world, token: other.token }, list, { headers });
    const unknown = await post({ ...world, token: other.token }, list, { headers: { 'mcp-session-id': 'session-2' } });
    expect(theirs.status).toBe(404);
    expect([theirs.status, theirs.body.toString()]).toEqual([unknown.status, unknown.body.toString()]);
    expect(world.upstream.heard).toHaveLength(1);
    expect(world.audit.records.filter(({ why }) => why === 'foreign-session')).toHaveLength(1);
    expect((await send(world, { headers })).status).toBe(200);
  });

  it('begin anew with a stale id beside initialize, which the server does not see', async () => {
    const world = await issuing();
    const answer = await post(world, initialize, { headers: { 'mcp-session-id': 'stale' } });
    expect(answer.status).toBe(200);
    expect(world.upstream.heard[0]?.headers).not.toHaveProperty('mcp-session-id');
    expect(world.upstream.heard[0]).not.toHaveProperty('sessionId');
  });

  it('are nothing to a request of the modern era: an id beside it is not looked up, and does not reach the server', async () => {
    const world = await issuing();
    await post(world, initialize);
    const other = await world.grantFor({}, { name: 'other' });
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    const modern = request('tools/list', { _meta });
    for (const id of ['session-1', 'stale']) {
      const answer = await post({ ...world, token: other.token }, modern, { headers: { 'mcp-session-id': id } });
      expect(answer.status).toBe(200);
    }
    for (const heard of world.upstream.heard.slice(1)) {
      expect(heard).not.toHaveProperty('sessionId');
      expect(heard.headers).not.toHaveProperty('mcp-session-id');
    }
  });

  it('are forgotten with their DELETE, and with a 404 of the server', async () => {
    const world = await issuing();
    const headers = { 'mcp-session-id': 'session-1' };
    await post(world, initialize);
    const call = { method: 'DELETE', path: '/mcp', headers: { ...mcpHeaders(world.token), ...headers } };
    expect((await callHttp1(world.target, call)).status).toBe(200);
    expect((await callHttp1(world.target, call)).status).toBe(404);
    expect(world.upstream.heard).toHaveLength(2);

    await post(world, initialize);
    world.upstream.answer = () => ({ ...json({}), status: 404 });
    await send(world, { headers });
    world.upstream.answer = (sent) => resultOf(sent, {});
    expect((await send(world, { headers })).status).toBe(404);
  });
});

function* blocksOf(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), 0x20);
}
