// The whole path with real parts: a helper, its embedded edge, the reference server over stdio and over HTTP, and the
// SDK's client as the agent, by hostname and by the loopback address.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SseReader, type SseEvent } from '../../src/core/sse.ts';
import type { ServerTransport } from '../../src/core/server.ts';
import type { OpenedTunnel } from '../../src/protocol/control.ts';
import { callHttp1, openHttp1, type Target } from '../support/agents.ts';
import { everythingPath } from '../support/command.ts';
import { mcpHeaders } from '../support/gateway.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { childrenOf } from '../support/processes.ts';
import { connectSdkAgent, type AgentAccess, type SdkAgent } from '../support/sdkAgent.ts';
import { until } from '../support/until.ts';

const overStdio: ServerTransport = {
  kind: 'stdio',
  command: process.execPath,
  args: [everythingPath, 'stdio'],
  env: {},
  cwd: '/',
};

async function overHttp(): Promise<ServerTransport> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  const server = spawn(process.execPath, [everythingPath, 'streamableHttp'], {
    env: { ...process.env, PORT: `${port}` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(async () => {
    if (server.exitCode === null && server.kill('SIGKILL')) await once(server, 'close');
  });
  let said = '';
  server.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until(
    () => said.includes('listening'),
    20_000,
    () => `the server did not start: ${said}`,
  );
  return { kind: 'http', url: `http://127.0.0.1:${port}/mcp`, headers: {} };
}

type World = HelperWorld & { opened: OpenedTunnel; access: AgentAccess; target: Target };

async function expose(kind: 'stdio' | 'HTTP'): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  const transport = kind === 'stdio' ? overStdio : await overHttp();
  const here = await aHelper({ clock });
  const opened = await here.open({ server: { inline: { name: 'everything', transport } } });
  const { hostname = '', url = '', caFile = '' } = opened.tunnel;
  return {
    ...here,
    opened,
    access: { url, caFile, token: opened.token ?? '' },
    target: { hostname, port: Number(new URL(url).port), ca: await readFile(caFile, 'utf8') },
  };
}

/** An agent that has everything a server may ask for. */
function connect(access: AgentAccess, asked: string[] = []): Promise<SdkAgent> {
  return connectSdkAgent(access, {
    capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } },
    prepare: (client) => {
      client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
        asked.push(`sampling ${JSON.stringify(params.messages)}`);
        return { model: 'm', role: 'assistant', content: { type: 'text', text: 'sampled answer' } };
      });
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
        asked.push(`elicitation ${params.message}`);
        return { action: 'accept', content: { name: 'elicited name' } };
      });
      client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///rooted', name: 'rooted' }] }));
    },
  });
}

async function rowsOf({ peer }: HelperWorld) {
  return (await peer.request('traffic/read', { after: 0, max: 1_000 })).rows;
}

describe.each(['stdio', 'HTTP'] as const)('the reference server over %s', (kind) => {
  it.each(['url', 'loopbackUrl'] as const)('does all that an agent asks of it at its %s', async (way) => {
    const here = await expose(kind);
    const { client } = await connect({ ...here.access, url: here.opened.tunnel[way] ?? '' });
    expect(client.getServerVersion()?.name).toContain('everything');
    const { tools } = await client.listTools();
    expect(tools.length).toBeGreaterThan(8);

    const progress: number[] = [];
    const long = await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 0.3, steps: 3 } },
      undefined,
      { onprogress: ({ progress: step }) => void progress.push(step) },
    );
    expect([progress, JSON.stringify(long.content)]).toEqual([[1, 2, 3], expect.stringContaining('completed')]);

    const { resources } = await client.listResources();
    const first = await client.readResource({ uri: resources[0]?.uri ?? '' });
    expect(first.contents.length).toBeGreaterThan(0);
    const { prompts } = await client.listPrompts();
    expect(prompts.length).toBeGreaterThan(0);
    const prompt = await client.getPrompt({ name: 'simple-prompt' });
    expect(prompt.messages.length).toBeGreaterThan(0);
    await expect(client.getPrompt({ name: 'no such prompt' })).rejects.toThrow(/-32602|not found/);

    await until(async () =>
      (await rowsOf(here)).every(({ status, kind: row }) => row === 'stream' || status !== 'pending'),
    );
    const call = (await rowsOf(here)).find(({ name }) => name === 'trigger-long-running-operation');
    expect(call).toMatchObject({ status: 'ok', agent: 'test-agent 1.0.0', messages: 4 });
    expect(here.tunnels()[0]?.agents[0]?.name ?? 'not yet').toMatch(/test-agent|not yet/);
  });

  it('asks the agent for samples, answers and roots, and each is a row with its answer', async () => {
    const here = await expose(kind);
    const asked: string[] = [];
    const { client } = await connect(here.access, asked);
    // Tools that need the agent's abilities appear once the server knows of them.
    await until(async () =>
      (await client.listTools()).tools.some(({ name }) => name === 'trigger-elicitation-request'),
    );
    const sampled = await client.callTool({
      name: 'trigger-sampling-request',
      arguments: { prompt: 'say it', maxTokens: 5 },
    });
    expect(JSON.stringify(sampled)).toContain('sampled answer');
    const elicited = await client.callTool({ name: 'trigger-elicitation-request', arguments: {} });
    expect(JSON.stringify(elicited)).toContain('elicited name');
    const roots = await client.callTool({ name: 'get-roots-list', arguments: {} });
    expect(JSON.stringify(roots)).toContain('file:///rooted');
    expect(asked).toHaveLength(2);

    const ofServer = (await rowsOf(here)).filter(
      ({ direction, kind }) => direction === 'server-to-agent' && kind === 'request',
    );
    expect(new Set(ofServer.map(({ method }) => method))).toEqual(
      new Set(['sampling/createMessage', 'elicitation/create', 'roots/list']),
    );
    for (const row of ofServer) {
      expect(row).toMatchObject({ status: 'ok', agent: 'test-agent 1.0.0' });
      const { request, messages } = await here.peer.request('traffic/get', { id: row.id });
      expect([request?.text.includes(row.method), messages.length]).toEqual([true, 1]);
    }
  });

  it('sends what belongs to no call on the GET stream', async () => {
    const here = await expose(kind);
    const { client } = await connect(here.access);
    const messages: unknown[] = [];
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void messages.push(params));
    await until(async () =>
      (await rowsOf(here)).some(({ kind: row, httpStatus }) => row === 'stream' && httpStatus === 200),
    );
    await client.setLoggingLevel('debug');
    await client.callTool({ name: 'toggle-simulated-logging', arguments: {} });
    await until(() => messages.length > 0, 20_000);
  });

  it('resumes a stream that broke: what was missed comes once, and nothing twice', async () => {
    const here = await expose(kind);
    const agent = await rawAgent(here);
    const left = new AbortController();
    const params = { name: 'trigger-long-running-operation', arguments: { duration: 1.2, steps: 6 } };
    const body = message('tools/call', { ...params, _meta: { progressToken: 'p' } }, 7);
    const call = { method: 'POST', path: '/mcp', headers: agent.headers, body };
    const broken = await openHttp1(here.target, call, left.signal);
    const before: SseEvent[] = [];
    const reader = new SseReader({ maxEventBytes: 1e6, onEvent: (event) => before.push(event) });
    broken.on('data', (chunk: Buffer) => reader.push(chunk)).on('error', () => {});
    await until(() => before.some(({ data }) => data.includes('"progress":1')));
    const gone = new Promise((resolve) => broken.once('close', resolve));
    left.abort();
    await gone;

    // What was begun later and takes as long is done later.
    const later = { ...call, body: message('tools/call', params, 8) };
    expect((await callHttp1(here.target, later)).status).toBe(200);

    const lastId = before.findLast(({ id }) => id !== undefined)?.id ?? '';
    const resumed = { path: '/mcp', headers: { ...agent.headers, 'last-event-id': lastId } };
    const after: SseEvent[] = [];
    const again = new AbortController();
    const stream = await openHttp1(here.target, resumed, again.signal);
    expect(stream.statusCode).toBe(200);
    const next = new SseReader({ maxEventBytes: 1e6, onEvent: (event) => after.push(event) });
    stream.on('data', (chunk: Buffer) => next.push(chunk)).on('error', () => {});
    await until(() => after.some(({ data }) => data.includes('"result"') && data.includes('"id":7')));
    again.abort();
    const steps = [...before, ...after].flatMap(({ data }) => /"progress":(\d)/.exec(data)?.[1] ?? []);
    expect(steps).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('forgets a session that was deleted, and begins another', async () => {
    const here = await expose(kind);
    const { client, transport } = await connect(here.access);
    await transport.terminateSession();
    await expect(client.listTools()).rejects.toThrow();
    const again = await connect(here.access);
    expect((await again.client.listTools()).tools.length).toBeGreaterThan(8);
  });
});

describe('a server that dies', () => {
  it('in the middle of a call gives an error to the call; its session goes on, and a new one works', async () => {
    const here = await expose('stdio');
    const agent = await rawAgent(here);
    const params = { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 60 } };
    const call = {
      method: 'POST',
      path: '/mcp',
      headers: agent.headers,
      body: message('tools/call', params, 'call-9'),
    };
    const answer = callHttp1(here.target, call);
    await until(async () =>
      (await rowsOf(here)).some(({ name, status }) => name === params.name && status === 'pending'),
    );
    for (const pid of await childrenOf(process.pid, everythingPath)) process.kill(pid, 'SIGKILL');
    const { body } = await answer;
    expect(body.toString()).toMatch(/"id":"call-9".*-32011|-32011.*"id":"call-9"/);
    await until(async () => (await rowsOf(here)).find(({ name }) => name === params.name)?.status !== 'pending');

    const list = { method: 'POST', path: '/mcp', headers: agent.headers, body: message('tools/list', {}, 10) };
    expect((await callHttp1(here.target, list)).status).toBe(200);
    const { client } = await connect(here.access);
    expect((await client.listTools()).tools.length).toBeGreaterThan(8);
  });

  it('and does not come back is waited for, over HTTP, and then the call hears so under its id', async () => {
    const here = await expose('HTTP');
    const agent = await rawAgent(here);
    for (const pid of await childrenOf(process.pid, everythingPath)) process.kill(pid, 'SIGKILL');
    const list = { method: 'POST', path: '/mcp', headers: agent.headers, body: message('tools/list', {}, 10) };
    // A call may still find the connection of the server that died.
    await until(async () => (await callHttp1(here.target, list)).status === 503, 30_000);
    const answer = await callHttp1(here.target, list);
    expect(answer.headers['retry-after']).toBe('1');
    expect(JSON.parse(answer.body.toString())).toMatchObject({ id: 10, error: { code: -32011 } });
  });
});

function message(method: string, params: object, id: string | number): Buffer {
  return Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
}

/** An agent without an SDK, in the middle of its session. */
async function rawAgent({ target, access }: World): Promise<{ headers: Record<string, string> }> {
  const headers = mcpHeaders(access.token);
  const clientInfo = { name: 'raw', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const answer = await callHttp1(target, {
    method: 'POST',
    path: '/mcp',
    headers,
    body: message('initialize', params, 0),
  });
  expect(answer.status).toBe(200);
  const session = {
    ...headers,
    'mcp-session-id': String(answer.headers['mcp-session-id']),
    'mcp-protocol-version': '2025-11-25',
  };
  const initialized = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  const accepted = await callHttp1(target, { method: 'POST', path: '/mcp', headers: session, body: initialized });
  expect(accepted.status).toBe(202);
  return { headers: session };
}
