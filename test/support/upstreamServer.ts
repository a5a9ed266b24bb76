// An upstream behind plain node:http, as thin as it gets: what a test's MCP client talks to when no gateway is needed.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { errorInfo } from '../../src/core/errors.ts';
import { classifyBody } from '../../src/mcp/classify.ts';
import { rpcErrorText } from '../../src/mcp/rpcErrors.ts';
import type { Upstream, UpstreamRequest } from '../../src/upstream/upstream.ts';

export type UpstreamServer = { url: string; close(): Promise<void> };

export async function serveUpstream(upstream: Upstream): Promise<UpstreamServer> {
  const server = createServer((request, response) => void answer(upstream, request, response));
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(upstream: Upstream, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const left = new AbortController();
  response.on('close', () => left.abort());
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const classified = request.method === 'POST' ? classifyBody(body) : undefined;
    if (classified?.kind === 'invalid') {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(rpcErrorText(classified.id, classified.rpcCode, classified.message));
      return;
    }
    const session = request.headers['mcp-session-id'];
    const result = await upstream.forward({
      method: request.method as UpstreamRequest['method'],
      headers: forwarded(request),
      ...(request.method === 'POST' ? { body } : {}),
      messages: classified?.messages ?? [],
      ...(typeof session === 'string' ? { sessionId: session } : {}),
      era: classified?.era ?? 'legacy',
      principal: 'g_1',
      signal: left.signal,
    });
    response.writeHead(result.status, result.headers);
    response.flushHeaders();
    if (result.body) await pipeline(result.body, response);
    else response.end();
  } catch (error) {
    if (response.headersSent) response.destroy();
    else response.writeHead(502, { 'content-type': 'application/json' }).end(JSON.stringify(errorInfo(error)));
  }
}

function forwarded(request: IncomingMessage): Record<string, string> {
  const kept = Object.entries(request.headers).filter(([name]) => !['host', 'origin', 'connection'].includes(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}
