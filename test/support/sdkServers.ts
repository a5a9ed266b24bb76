// Real servers of the MCP SDK v1 behind plain node:http: one that speaks only the old HTTP+SSE transport, one that speaks
// Streamable HTTP with sessions. Both guard their Host against DNS rebinding, as servers of developers do.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { randomUUID } from 'node:crypto';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport, type EventStore } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { z } from 'zod';

export type Tools = { server: McpServer; calls: string[]; release: () => void };

/** `echo` answers, `slow` waits until released, `ask` asks the agent for its roots. */
export function someTools(): Tools {
  const server = new McpServer({ name: 'sdk-server', version: '1.0.0' }, { capabilities: { logging: {} } });
  const calls: string[] = [];
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => {
    calls.push(text);
    return { content: [{ type: 'text', text }] };
  });
  server.registerTool('slow', { inputSchema: {} }, async () => {
    calls.push('slow');
    await released;
    return { content: [{ type: 'text', text: 'slow is done' }] };
  });
  server.registerTool('ask', { inputSchema: {} }, async (_arguments, { sendRequest }) => {
    const { roots } = await sendRequest(
      { method: 'roots/list' },
      z.object({ roots: z.array(z.object({ uri: z.string() })) }),
    );
    return { content: [{ type: 'text', text: roots.map(({ uri }) => uri).join() }] };
  });
  return { server, calls, release };
}

export type SdkServer = { port: number; tools: Tools[]; requests: IncomingMessage[] };

/** `GET /sse` announces `/messages?sessionId=…`; every stream has a server of its own. */
export async function anSseServer(): Promise<SdkServer> {
  const transports = new Map<string, SSEServerTransport>();
  const tools: Tools[] = [];
  return listening(tools, async (request, response, port) => {
    const url = new URL(request.url ?? '', 'http://localhost');
    if (request.method === 'GET' && url.pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', response, guarded(port));
      const mine = someTools();
      tools.push(mine);
      transports.set(transport.sessionId, transport);
      response.on('close', () => transports.delete(transport.sessionId));
      return mine.server.connect(transport);
    }
    const transport = transports.get(url.searchParams.get('sessionId') ?? '');
    if (request.method === 'POST' && url.pathname === '/messages' && transport) {
      return transport.handlePostMessage(request, response);
    }
    response.writeHead(404).end();
  });
}

/** Sessions at `/mcp`; with `events`, streams can be resumed. */
export async function aStreamableServer(events?: () => EventStore): Promise<SdkServer> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const tools: Tools[] = [];
  return listening(tools, async (request, response, port) => {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? transports.get(id) : undefined;
    if (known) return known.handleRequest(request, response);
    if (id !== undefined) return void response.writeHead(404).end();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (session) => void transports.set(session, transport),
      ...(events ? { eventStore: events() } : {}),
      ...guarded(port),
    });
    const mine = someTools();
    tools.push(mine);
    await mine.server.connect(transport);
    await transport.handleRequest(request, response);
  });
}

/** Exactly `localhost:<port>`, as Playwright's server and others want it. */
function guarded(port: number): {
  enableDnsRebindingProtection: true;
  allowedHosts: string[];
  allowedOrigins: string[];
} {
  const host = `localhost:${port}`;
  return { enableDnsRebindingProtection: true, allowedHosts: [host], allowedOrigins: [`http://${host}`] };
}

/** Everything it stores can be had again. */
export class MemoryEvents implements EventStore {
  readonly #events: { id: string; stream: string; message: JSONRPCMessage }[] = [];

  async storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const id = `${stream}_${this.#events.length}`;
    this.#events.push({ id, stream, message });
    return id;
  }

  async replayEventsAfter(
    last: string,
    { send }: { send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const from = this.#events.findIndex(({ id }) => id === last);
    const { stream } = this.#events[from]!;
    for (const event of this.#events.slice(from + 1)) {
      if (event.stream === stream && 'jsonrpc' in event.message) await send(event.id, event.message);
    }
    return stream;
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse, port: number) => unknown;

async function listening(tools: Tools[], handler: Handler): Promise<SdkServer> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    requests.push(request);
    void handler(request, response, (server.address() as AddressInfo).port);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return { port: (server.address() as AddressInfo).port, tools, requests };
}
