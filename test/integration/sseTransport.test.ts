// The deprecated HTTP+SSE transport (2024-11-05) on both sides of the gateway: real servers and real clients of the SDK that
// speak nothing else, in front of and behind those that speak something newer.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Agent, fetch as undiciFetch } from 'undici';
import type { LookupFunction } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { HttpServer } from '../../src/upstream/httpServer.ts';
import { SseAgents } from '../../src/upstream/sseAgents.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { callHttp1, openHttp1 } from '../support/agents.ts';
import { aGateway, authorityOf, mcpHeaders, post, request, serverId, type GatewayWorld } from '../support/gateway.ts';
import { aStreamableServer, anSseServer, type Tools } from '../support/sdkServers.ts';
import { until } from '../support/until.ts';

type Behind = { upstream: Upstream; calls: () => string[]; release: () => void };

async function sseBehind(): Promise<Behind> {
  const { port, tools } = await anSseServer();
  return { upstream: at(`http://localhost:${port}/sse`), ...told(tools) };
}

async function streamableBehind(): Promise<Behind> {
  const { port, tools } = await aStreamableServer();
  return { upstream: at(`http://localhost:${port}/mcp`), ...told(tools) };
}

function told(tools: readonly Tools[]): Pick<Behind, 'calls' | 'release'> {
  return { calls: () => tools.flatMap(({ calls }) => calls), release: () => tools.forEach(({ release }) => release()) };
}

function at(url: string): Upstream {
  const server = new HttpServer({ url, headers: {}, clock: systemClock });
  const upstream = new SseAgents(server, server);
  onTestFinished(() => upstream.close());
  return upstream;
}

async function agentOf(world: GatewayWorld, kind: 'sse' | 'streamable', token = world.token): Promise<Client> {
  const lookup: LookupFunction = (_name, { all }, found) =>
    all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4);
  const dispatcher = new Agent({ connect: { ca: world.target.ca, lookup } });
  const fetch = ((input: string | URL, init?: RequestInit) =>
    undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof globalThis.fetch;
  const url = new URL(`https://${authorityOf(world.target)}/mcp`);
  const headers = { authorization: `Bearer ${token}` };
  const transport =
    kind === 'sse'
      ? new SSEClientTransport(url, { fetch, requestInit: { headers } })
      : new StreamableHTTPClientTransport(url, { fetch, requestInit: { headers } });
  const client = new Client({ name: 'agent', version: '1' }, { capabilities: { roots: {} } });
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///work', name: 'work' }] }));
  onTestFinished(async () => {
    await client.close();
    await dispatcher.destroy();
  });
  await client.connect(transport);
  return client;
}

describe.each([
  ['sse', 'an HTTP+SSE server', sseBehind],
  ['sse', 'a Streamable HTTP server', streamableBehind],
  ['streamable', 'an HTTP+SSE server', sseBehind],
  ['streamable', 'a Streamable HTTP server', streamableBehind],
] as const)('an agent that speaks %s, in front of %s', (kind, _, behind) => {
  it('lists, calls, is asked, and sees the answers of two calls at once', async () => {
    const { upstream, calls } = await behind();
    await upstream.check(new AbortController().signal);
    const world = await aGateway({ behind: upstream });
    const agent = await agentOf(world, kind);
    expect((await agent.listTools()).tools.map(({ name }) => name)).toEqual(['echo', 'slow', 'ask']);
    const both = await Promise.all(['one', 'two'].map((text) => agent.callTool({ name: 'echo', arguments: { text } })));
    expect(both).toMatchObject([{ content: [{ text: 'one' }] }, { content: [{ text: 'two' }] }]);
    expect(await agent.callTool({ name: 'ask', arguments: {} })).toMatchObject({ content: [{ text: 'file:///work' }] });
    expect(calls().sort()).toEqual(['one', 'two']);
    // Each call's row tells how it went, whatever stream its answer came on.
    const rows = world.rows().filter(({ method }) => method === 'tools/call');
    expect(rows.map(({ name, status }) => [name, status])).toEqual([
      ['echo', 'ok'],
      ['echo', 'ok'],
      ['ask', 'ok'],
    ]);
    await until(() => world.audit.records.filter(({ kind: what }) => what === 'outcome').length >= 5);
  });

  it('hears on the same connection that a call is denied, and which tools are hidden from it', async () => {
    const { upstream, calls } = await behind();
    await upstream.check(new AbortController().signal);
    const world = await aGateway({ behind: upstream });
    const { token } = await world.grantFor({ tools: ['echo'] });
    const agent = await agentOf(world, kind, token);
    expect((await agent.listTools()).tools.map(({ name }) => name)).toEqual(['echo']);
    await expect(agent.callTool({ name: 'slow', arguments: {} })).rejects.toMatchObject({ code: -32010 });
    expect(calls()).toEqual([]);
  });
});

describe('the message endpoint', () => {
  it('is announced as a path of the tunnel, works for who opened the stream, and is unknown to anybody else', async () => {
    const { upstream } = await sseBehind();
    await upstream.check(new AbortController().signal);
    const world = await aGateway({ behind: upstream });
    const stream = await openHttp1(world.target, {
      path: '/mcp',
      headers: { ...mcpHeaders(world.token), accept: 'text/event-stream' },
    });
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {});
    onTestFinished(() => void stream.destroy());
    await until(() => text.includes('\n\n'));
    const path = /^event: endpoint\ndata: (\/mcp\/message\?sessionId=[0-9a-f-]{36})\n\n$/.exec(text)?.[1];
    expect(path).toBeDefined();
    expect(world.rows()[0]?.flags).toEqual(['endpoint']);

    const ping = request('ping');
    const other = await world.grantFor({});
    const foreign = await post({ ...world, token: other.token }, ping, { path: path! });
    expect(foreign.status).toBe(404);
    expect(world.audit.records.at(-1)).toMatchObject({ kind: 'refused', why: 'foreign-session' });
    // Not even by beginning anew, which an agent may do beside any session id.
    const begins = request('initialize', { protocolVersion: '2024-11-05', capabilities: {} });
    expect((await post({ ...world, token: other.token }, begins, { path: path! })).status).toBe(404);
    expect((await post(world, ping, { path: path! })).status).toBe(202);
    await until(() => text.includes('"result":{}'));
    for (const off of [
      path!.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      `${path}&more=1`,
      `${path}?`,
      '/mcp/message',
      '/mcp/messages?sessionId=1',
      '/messages?sessionId=1',
      '/sse',
    ]) {
      expect([off, (await post(world, ping, { path: off })).status]).toEqual([off, 404]);
    }
    const asked = await callHttp1(world.target, { path: path!, headers: mcpHeaders(world.token) });
    expect(asked.status).toBe(404);
    const stranger = await post({ ...world, token: 'mcpt_none' }, ping, { path: path! });
    expect(stranger.status).toBe(401);

    stream.destroy();
    await until(() => world.rows()[0]?.status !== 'pending');
    expect((await post(world, ping, { path: path! })).status).toBe(404);
    expect(JSON.stringify(world.rows().map((row) => world.detail(row)))).not.toContain(path!.slice(-36));
  });

  it('is below the secret address of an agent that came by one, and is not written into what it is told', async () => {
    const { upstream } = await sseBehind();
    await upstream.check(new AbortController().signal);
    const world = await aGateway({ behind: upstream });
    const wanted = { name: 'hosted', servers: [serverId], scope: {}, expiresMs: Date.now() + 3_600_000 };
    const { secret = '' } = await world.grants.addWay(wanted, { kind: 'path-secret' });
    const address = `/s/${secret}/mcp`;
    const headers = {
      host: authorityOf(world.target),
      accept: 'text/event-stream',
      'content-type': 'application/json',
    };
    const stream = await openHttp1(world.target, { path: address, headers });
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {});
    onTestFinished(() => void stream.destroy());
    await until(() => text.includes('\n\n'));
    expect(text).not.toContain(secret);
    const { pathname, search } = new URL(/^data: (.*)$/m.exec(text)![1]!, `https://a.example${address}`);
    expect(pathname).toBe(`${address}/message`);
    const body = Buffer.from(JSON.stringify(request('ping')));
    const posted = (path: string): Promise<{ status: number }> =>
      callHttp1(world.target, { method: 'POST', path, headers, body });
    expect((await posted(pathname + search)).status).toBe(202);
    await until(() => text.includes('"result":{}'));
    expect((await posted(`/mcp/message${search}`)).status).toBe(401);
    expect((await posted(`/s/${secret.slice(0, -1)}x/mcp/message${search}`)).status).toBe(404);
    expect(JSON.stringify([world.rows().map((row) => world.detail(row)), world.audit.records])).not.toContain(secret);
  });

  it('that a server announces elsewhere is not gone to', async () => {
    const { createServer } = await import('node:http');
    let heard = 0;
    const server = createServer((_request, response) => {
      heard += 1;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: endpoint\ndata: http://169.254.169.254/messages\n\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const upstream = at(`http://127.0.0.1:${(server.address() as { port: number }).port}/sse`);
    await upstream.check(new AbortController().signal).catch(() => {});
    const world = await aGateway({ behind: upstream });
    const answer = post(world, request('initialize', { protocolVersion: '2025-06-18', capabilities: {} }));
    expect((await answer).status).toBe(502);
    expect(heard).toBeGreaterThan(0);
  });
});

describe.each([
  ['an HTTP+SSE server', sseBehind],
  ['a Streamable HTTP server', streamableBehind],
] as const)('a call of an agent of the old transport at %s', (_, behind) => {
  it('that would be refused now is answered so, and its result does not come after', async () => {
    const { upstream, calls, release } = await behind();
    await upstream.check(new AbortController().signal);
    const world = await aGateway({ behind: upstream });
    const agent = await agentOf(world, 'sse');
    const slow = agent.callTool({ name: 'slow', arguments: {} });
    slow.catch(() => {});
    await until(() => calls().length === 1);
    await until(() => world.rows().some(({ name, httpStatus }) => name === 'slow' && httpStatus === 202));
    const stays = { methods: ['*'], tools: ['echo'], prompts: ['*'], resources: ['*'] };
    await world.setPolicy({ agents: { '*': stays } });
    await expect(slow).rejects.toMatchObject({ code: -32010 });
    const row = world.rows().find(({ name }) => name === 'slow');
    expect(row).toMatchObject({ status: 'cancelled', reason: 'the policy changed' });
    const heard: unknown[] = [];
    agent.onerror = (error) => heard.push(error);
    release();
    expect(await agent.callTool({ name: 'echo', arguments: { text: 'still here' } })).toMatchObject({ content: [{}] });
    expect(heard).toEqual([]);
    const outcomes = world.audit.records.filter(({ exchange }) => exchange === row?.id);
    expect(outcomes.map(({ kind, status }) => [kind, status])).toEqual([
      ['call', undefined],
      ['outcome', 'cancelled'],
    ]);
  });
});

it('what is posted to the message endpoint reaches no server before the audit log has it', async () => {
  const { upstream, calls } = await streamableBehind();
  const world = await aGateway({ behind: upstream });
  const agent = await agentOf(world, 'sse');
  let release!: () => void;
  world.audit.hold = new Promise((resolve) => (release = resolve));
  const answer = agent.callTool({ name: 'echo', arguments: { text: 'told' } });
  await until(() =>
    world.rows().some((row) => world.detail(row).timings.decidedMs !== undefined && row.name === 'echo'),
  );
  expect(calls()).toEqual([]);
  release();
  await answer;
  expect(calls()).toEqual(['told']);
  const failing = new Error('the disk is full');
  world.audit.failure = failing;
  await expect(agent.callTool({ name: 'echo', arguments: { text: 'untold' } })).rejects.toThrow();
  expect(calls()).toEqual(['told']);
  world.audit.failure = undefined;
});

it('an agent of the old transport gets into no session of another by naming it beside its own stream', async () => {
  const { upstream, calls } = await streamableBehind();
  const world = await aGateway({ behind: upstream });
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'victim', version: '1' } };
  const victim = (await post(world, request('initialize', params))).headers['mcp-session-id'];
  expect(victim).toBeTypeOf('string');
  const { token } = await world.grantFor({});
  const headers = { ...mcpHeaders(token), accept: 'text/event-stream' };
  const stream = await openHttp1(world.target, { path: '/mcp', headers });
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {});
  onTestFinished(() => void stream.destroy());
  await until(() => text.includes('\n\n'));
  const path = /data: (\S+)/.exec(text)![1]!;

  const named = { path, headers: { 'mcp-session-id': String(victim) } };
  const call = request('tools/call', { name: 'echo', arguments: { text: 'mine' } }, 7);
  expect((await post({ ...world, token }, call, named)).status).toBe(202);
  await until(() => text.includes('"id":7'));
  expect(text).toContain('"error":');
  expect(calls()).toEqual([]);
});
