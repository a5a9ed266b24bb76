// The last hop, from the gateway to a server on this machine: guards against DNS rebinding that real servers have let it
// pass, and an agent that leaves is noticed there as its era wants it.
import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { McpServer as ModernServer, createMcpHandler } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { HttpServer } from '../../src/upstream/httpServer.ts';
import { callHttp1, openHttp1 } from '../support/agents.ts';
import { aGateway, authorityOf, mcpHeaders, post, request, type GatewayWorld } from '../support/gateway.ts';
import { aStreamableServer, MemoryEvents } from '../support/sdkServers.ts';
import { until } from '../support/until.ts';

const initialize = request('initialize', {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'agent', version: '1' },
});

function at(url: string): HttpServer {
  const upstream = new HttpServer({ url, headers: {}, clock: systemClock });
  onTestFinished(() => upstream.close());
  return upstream;
}

type Guard = (headers: IncomingMessage['headers'], port: number) => boolean;

/** A server that answers only what its guard lets in. */
async function guarded(guard: Guard): Promise<{ port: number; heard: IncomingMessage[] }> {
  const heard: IncomingMessage[] = [];
  const server = createServer((incoming, response) => {
    heard.push(incoming);
    const { port } = server.address() as AddressInfo;
    const status = guard(incoming.headers, port) ? 200 : 421;
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, heard };
}

const pythonOrigins = [/^http:\/\/127\.0\.0\.1:\d+$/, /^http:\/\/localhost:\d+$/, /^http:\/\/\[::1\]:\d+$/];

const guards: [string, string, Guard][] = [
  ['exactly localhost and its port, as Playwright’s', 'localhost', ({ host }, port) => host === `localhost:${port}`],
  ['exactly 127.0.0.1 and its port', '127.0.0.1', ({ host }, port) => host === `127.0.0.1:${port}`],
  [
    'hosts and origins of this machine, as the Python SDK’s',
    'localhost',
    ({ host = '', origin }) =>
      /^(?:127\.0\.0\.1|localhost|\[::1\]):\d+$/.test(host) &&
      (origin === undefined || pythonOrigins.some((allowed) => allowed.test(origin))),
  ],
  ['no forwarding, no cookies, no credentials', 'localhost', (headers) => !unwanted.some((name) => name in headers)],
  ['nothing compressed', 'localhost', (headers) => headers['accept-encoding'] === 'identity'],
];

const unwanted = ['x-forwarded-for', 'x-forwarded-host', 'forwarded', 'cookie', 'authorization', 'te', 'origin'];

describe('a server that accepts', () => {
  it.each(guards)('%s lets the gateway’s requests in', async (_, name, guard) => {
    const { port, heard } = await guarded(guard);
    const world = await aGateway({ behind: at(`http://${name}:${port}/mcp`) });
    const answer = await post(world, request('ping'), {
      headers: {
        host: authorityOf(world.target),
        origin: `https://${authorityOf(world.target)}`,
        cookie: 'a=b',
        'x-forwarded-for': '203.0.113.9',
        'x-forwarded-host': 'evil.example',
        forwarded: 'host=evil.example',
        'accept-encoding': 'gzip, br',
        te: 'trailers',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        'mcp-param-region': 'eu',
      },
    });
    expect(answer.status).toBe(200);
    expect(heard[0]?.headers).toMatchObject({ 'mcp-param-region': 'eu', traceparent: expect.any(String) as string });
  });

  it('its own name alone, as the TypeScript SDK’s with its protection on, does so by that name and by no other', async () => {
    const { port } = await aStreamableServer();
    const right = await aGateway({ behind: at(`http://localhost:${port}/mcp`) });
    expect((await post(right, initialize)).status).toBe(200);
    const wrong = await aGateway({ behind: at(`http://127.0.0.1:${port}/mcp`) });
    const refused = await post(wrong, initialize);
    expect([refused.status, wrong.rows()[0]?.failure]).toEqual([403, { code: 'TARGET_HTTP', source: 'target_http' }]);
  });

  it('only older eras tells a newer agent so in a way that lets it fall back', async () => {
    const { port } = await aStreamableServer();
    const world = await aGateway({ behind: at(`http://localhost:${port}/mcp`) });
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    const answer = await post(world, request('server/discover', { _meta: meta }));
    // 401, 403 and 5xx would stop a client; any JSON-RPC error at another status makes it try initialize.
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body.toString())).toHaveProperty('error.code');
  });
});

describe('an agent that leaves in the middle of a call', () => {
  it('of an older era does not cancel it: the answer is there when it comes back', async () => {
    const { port, tools } = await aStreamableServer(() => new MemoryEvents());
    const world = await aGateway({ behind: at(`http://localhost:${port}/mcp`) });
    const session = await begin(world);
    const left = new AbortController();
    const slow = request('tools/call', { name: 'slow', arguments: {} }, 'slow-1');
    const headers = { ...mcpHeaders(world.token), 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
    const body = Buffer.from(JSON.stringify(slow));
    const stream = await openHttp1(world.target, { method: 'POST', path: '/mcp', headers, body }, left.signal);
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {});
    await until(() => text.includes('id: ') && tools[0]!.calls.length === 1);
    left.abort();
    await until(() => world.rows().some(({ status }) => status === 'cancelled'));
    tools[0]!.release();

    const last = /^id: (.+)$/m.exec(text)![1]!;
    const resumed = await openHttp1(world.target, { path: '/mcp', headers: { ...headers, 'last-event-id': last } });
    let rest = '';
    resumed.on('data', (chunk: Buffer) => (rest += chunk.toString())).on('error', () => {});
    onTestFinished(() => void resumed.destroy());
    await until(() => rest.includes('slow is done'));
    expect(rest).toContain('"id":"slow-1"');
    expect(tools[0]!.calls).toEqual(['slow']);
  });

  it('of the newer era cancels it, and the server hears so at once', async () => {
    let begun = false;
    let cancelled = false;
    const { port } = await modernServer((signal) => {
      begun = true;
      signal.addEventListener('abort', () => (cancelled = true));
    });
    const world = await aGateway({ behind: at(`http://localhost:${port}/mcp`) });
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const left = new AbortController();
    const body = Buffer.from(JSON.stringify(request('tools/call', { name: 'slow', arguments: {}, _meta: meta })));
    const headers = {
      ...mcpHeaders(world.token),
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'slow',
    };
    const sent = openHttp1(world.target, { method: 'POST', path: '/mcp', headers, body }, left.signal);
    sent.then((response) => response.on('error', () => {}).resume()).catch(() => {});
    await until(() => begun);
    expect(cancelled).toBe(false);
    left.abort();
    await until(() => cancelled);
    await until(() => world.rows()[0]?.status === 'cancelled');
  });
});

async function begin(world: GatewayWorld): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'agent', version: '1' } };
  const begun = await post(world, request('initialize', params));
  const session = String(begun.headers['mcp-session-id']);
  await callHttp1(world.target, {
    method: 'POST',
    path: '/mcp',
    headers: { ...mcpHeaders(world.token), 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' },
    body: Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}'),
  });
  return session;
}

async function modernServer(onSlow: (signal: AbortSignal) => void): Promise<{ port: number }> {
  const handler = createMcpHandler(() => {
    const server = new ModernServer({ name: 'modern', version: '1.0.0' });
    server.registerTool('slow', { inputSchema: z.object({}) }, async (_arguments, context) => {
      const { signal } = context.mcpReq;
      onSlow(signal);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      return { content: [] };
    });
    return server;
  });
  const handle = toNodeHandler(handler);
  const server = createServer((incoming, response) => void handle(incoming as Parameters<typeof handle>[0], response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
}
