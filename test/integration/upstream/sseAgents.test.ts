// What stands between an agent of the HTTP+SSE transport and its server: what passes untouched, what is bounded, and what
// becomes of a session whose agent or server is gone.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { SseReader } from '../../../src/core/sse.ts';
import { classifyBody } from '../../../src/mcp/classify.ts';
import { HttpServer } from '../../../src/upstream/httpServer.ts';
import { maxSseSessions, SseAgents } from '../../../src/upstream/sseAgents.ts';
import { maxBridgedCalls } from '../../../src/upstream/sseBridge.ts';
import type { Upstream, UpstreamRequest, UpstreamResponse } from '../../../src/upstream/upstream.ts';
import { expectNothingLeft } from '../../support/leaks.ts';
import { Restartable } from '../../support/restartable.ts';
import { stdioWorld } from '../../support/stdioWorld.ts';
import { until } from '../../support/until.ts';

const asked = (rest: Partial<UpstreamRequest>): UpstreamRequest => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
  messages: [],
  era: 'legacy',
  principal: 'g_1',
  signal: new AbortController().signal,
  ...rest,
});

type Open = {
  response: UpstreamResponse;
  text: () => string;
  messages: () => { id?: unknown; method?: string; result?: unknown; error?: { code: number; message: string } }[];
  send: (message: object) => Promise<UpstreamResponse>;
  leave: () => void;
};

async function open(agents: Upstream, more: Partial<UpstreamRequest> = {}): Promise<Open> {
  const response = await agents.forward(asked({ method: 'GET', ...more }));
  const chunks: Buffer[] = [];
  response.body?.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  onTestFinished(() => void response.body?.destroy());
  const text = (): string => Buffer.concat(chunks).toString();
  const messages: Open['messages'] = () => {
    const found: string[] = [];
    new SseReader({
      maxEventBytes: 1_000_000,
      onEvent: ({ type, data }) => void (type === 'message' && data !== '' && found.push(data)),
    }).push(Buffer.concat(chunks));
    return found.map((data) => JSON.parse(data) as object);
  };
  const send: Open['send'] = (message) => {
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }));
    const classified = classifyBody(body);
    return agents.forward(
      asked({
        body,
        messages: classified.kind === 'messages' ? classified.messages : [],
        ...(response.sseSession === undefined ? {} : { sseSession: response.sseSession }),
      }),
    );
  };
  return { response, text, messages, send, leave: () => void response.body?.destroy() };
}

const params = { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'old', version: '1' } };

describe('an old agent in front of a server of the newer transport', () => {
  async function aWorld(
    onCall?: (id: unknown, response: ServerResponse) => void,
  ): Promise<{ server: Restartable; agents: SseAgents }> {
    const server = await new Restartable(
      onCall ? { onCall: ({ body }, response) => onCall(body.id, response) } : {},
    ).start();
    const listener = new HttpServer({ url: server.url, headers: {}, clock: systemClock });
    onTestFinished(() => listener.close());
    return { server, agents: new SseAgents(listener, listener) };
  }

  it('has a session there, which ends with its stream', async () => {
    expectNothingLeft();
    const { server, agents } = await aWorld();
    const agent = await open(agents);
    await until(() => agent.text() !== '');
    expect(agent.text()).toBe(`event: endpoint\ndata: /mcp/message?sessionId=${agent.response.sseSession}\n\n`);
    expect(agent.response.headers).not.toHaveProperty('mcp-session-id');
    expect((await agent.send({ id: 1, method: 'initialize', params })).status).toBe(202);
    await until(() => agent.messages().length === 1);
    expect((await agent.send({ method: 'notifications/initialized' })).status).toBe(202);
    await until(() => server.hasStream(server.sessions[0]!));
    server.say(server.sessions[0]!, 'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
    await until(() => agent.messages().some(({ method }) => method === 'notifications/tools/list_changed'));
    agent.leave();
    await until(() => server.sessions.length === 0);
    expect((await agent.send({ id: 2, method: 'ping' })).status).toBe(404);
  });

  it('takes the calls that still run away from it when it leaves', async () => {
    let running: ServerResponse | undefined;
    const { server, agents } = await aWorld((_id, response) => (running = response));
    const agent = await open(agents);
    await agent.send({ id: 1, method: 'initialize', params });
    await until(() => server.sessions.length === 1 && agent.messages().length === 1);
    await agent.send({ id: 2, method: 'tools/call', params: { name: 'x' } });
    await until(() => running !== undefined);
    const gone = once(running!, 'close');
    agent.leave();
    await gone;
    expect(running!.writableEnded).toBe(false);
  });

  it('hears of calls that the server breaks off, and of those that it refuses, under their ids', async () => {
    const { server, agents } = await aWorld((id, response) => {
      if (id === 'broken') return void response.socket?.destroy();
      response.writeHead(id === 'page' ? 500 : 400, { 'content-type': 'application/json' });
      response.end(
        id === 'page' ? '<html>' : JSON.stringify({ jsonrpc: '2.0', id, error: { code: -7, message: 'no' } }),
      );
    });
    const marks = new Set<string>();
    const agent = await open(agents, { mark: (flag) => marks.add(flag) });
    await agent.send({ id: 1, method: 'initialize', params });
    await until(() => server.sessions.length === 1 && agent.messages().length === 1);
    expect([...marks]).toEqual([]);
    for (const id of ['broken', 'refused', 'page']) {
      expect((await agent.send({ id, method: 'tools/call', params: { name: 'x' } })).status).toBe(202);
    }
    await until(() => agent.messages().length === 4);
    const errors = new Map(agent.messages().map(({ id, error }) => [id, error?.code]));
    expect([errors.get('broken'), errors.get('refused'), errors.get('page')]).toEqual([-32011, -7, -32011]);
    expect([...marks]).toEqual(['synthesised']);
  });

  it('leaves nothing of a call that it withdrew, though the server never answers it', async () => {
    let [opened, closed] = [0, 0];
    const { agents } = await aWorld((_id, response) => {
      opened += 1;
      response.once('close', () => (closed += 1));
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    });
    const agent = await open(agents);
    await agent.send({ id: 0, method: 'initialize', params });
    await until(() => agent.messages().length === 1);
    await agent.send({ id: 'c', method: 'tools/call', params: { name: 'x' } });
    await until(() => opened === 1);
    await agent.send({ method: 'notifications/cancelled', params: { requestId: 'c' } });
    await until(() => closed === 1);
    await agent.send({ id: 1, method: 'ping' });
    await until(() => agent.messages().length === 2);
    expect(agent.messages().map(({ id }) => id)).toEqual([0, 1]);
  });

  it('has a bound on its calls', async () => {
    const waiting: ServerResponse[] = [];
    const { server, agents } = await aWorld((_id, response) => void waiting.push(response));
    const agent = await open(agents);
    await agent.send({ id: 'i', method: 'initialize', params });
    await until(() => server.sessions.length === 1 && agent.messages().length === 1);
    const statuses: number[] = [];
    for (let id = 0; id <= maxBridgedCalls; id += 1) {
      statuses.push((await agent.send({ id, method: 'tools/call', params: { name: 'x' } })).status);
    }
    expect(statuses.slice(0, -1).every((status) => status === 202)).toBe(true);
    expect(statuses.at(-1)).toBe(429);
  });

  it('has a bound on its streams, and a place is free again when one of them ends', async () => {
    const { agents } = await aWorld();
    const others = await Promise.all(Array.from({ length: maxSseSessions }, () => open(agents)));
    expect(others.every(({ response }) => response.status === 200)).toBe(true);
    expect((await open(agents)).response.status).toBe(503);
    others[0]!.leave();
    await until(() => others[0]!.response.body!.closed);
    expect((await open(agents)).response.status).toBe(200);
  });
});

it('an old agent in front of a stdio server has a process of its own, which ends with its stream', async () => {
  expectNothingLeft();
  const { upstream, events } = stdioWorld();
  const agents = new SseAgents(upstream);
  const agent = await open(agents);
  await agent.send({ id: 1, method: 'initialize', params });
  await until(() => agent.messages().length === 1);
  await agent.send({ method: 'notifications/initialized' });
  expect((await agent.send({ id: 2, method: 'ping' })).status).toBe(202);
  await until(() => agent.messages().some(({ id }) => id === 2));
  agent.leave();
  await until(() => events.some(({ kind }) => kind === 'exited'));
});

describe('an old agent in front of an old server', () => {
  type Listener = (incoming: IncomingMessage, response: ServerResponse, body: string) => void;

  async function anOldServer(path: string, listener: Listener): Promise<SseAgents> {
    const server = createServer((incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => listener(incoming, response, Buffer.concat(chunks).toString()));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    const upstream = new HttpServer({ url, headers: { 'x-own': 'yes' }, clock: systemClock });
    onTestFinished(() => upstream.close());
    await upstream.check(new AbortController().signal);
    return new SseAgents(upstream, upstream);
  }

  it('gets every byte but the endpoint, and what it posts arrives where the server wanted it', async () => {
    const around = [': hello\r\n\r\n', 'id: 1\ndata: {"n":1.0e2}\ndata: {}\n\n: theirs\n\nretry: 5\r\rdata: é\n\n'];
    const heard: string[] = [];
    const agents = await anOldServer('/v1/sse', (incoming, response, body) => {
      heard.push(`${incoming.method} ${incoming.url} ${String(incoming.headers['x-own'])} ${body}`);
      if (incoming.method === 'OPTIONS') return void response.writeHead(204).end();
      if (incoming.method === 'POST') return void response.writeHead(202, { 'x-kept': '1' }).end('Accepted');
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`${around[0]}event: endpoint\ndata: ../messages/?session_id=abc\n\n${around[1]}`);
    });
    const agent = await open(agents);
    await until(() => agent.text().endsWith('é\n\n'));
    const endpoint = `event: endpoint\ndata: /mcp/message?sessionId=${agent.response.sseSession}\n\n`;
    expect(agent.text()).toBe(around[0] + endpoint + around[1]);
    expect(agent.response.marks).toEqual(['endpoint']);
    const posted = await agent.send({ id: 1, method: 'ping' });
    expect([posted.status, posted.headers['x-kept'], String(await posted.body?.toArray())]).toEqual([
      202,
      '1',
      'Accepted',
    ]);
    expect(heard.at(-1)).toBe('POST /messages/?session_id=abc yes {"jsonrpc":"2.0","id":1,"method":"ping"}');
  });

  it('is told where to post relative to its address where that is a secret', async () => {
    const agents = await anOldServer('/sse', (incoming, response) => {
      if (incoming.method !== 'GET') return void response.writeHead(204).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: endpoint\ndata: /messages\n\n');
    });
    const agent = await open(agents, { isSecretAddress: true });
    await until(() => agent.text() !== '');
    expect(agent.text()).toMatch(/^event: endpoint\ndata: mcp\/message\?sessionId=/);
  });

  it('is found behind a URL of any name, as clients find it: POST is not known there, and GET announces an endpoint', async () => {
    const agents = await anOldServer('/tools', (incoming, response) => {
      if (incoming.method !== 'GET') return void response.writeHead(405).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: endpoint\ndata: /messages\n\n');
    });
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
    const messages = classifyBody(body);
    const agent = asked({ body, messages: messages.kind === 'messages' ? messages.messages : [] });
    agent.headers['accept'] = 'application/json, text/event-stream';
    // The server does not take what is posted, either: that is said under the id of the call.
    const answer = await agents.forward(agent);
    expect(String(await answer.body?.toArray())).toMatch(/"id":1,"error":\{"code":-32011/);
  });
});
