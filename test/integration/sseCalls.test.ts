// Calls of agents that speak HTTP+SSE (2024-11-05): each is posted in one exchange and answered on the agent's stream,
// which is another, so that what is under way has to be counted across both.
import { createServer } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { HttpServer } from '../../src/upstream/httpServer.ts';
import { SseAgents } from '../../src/upstream/sseAgents.ts';
import { openHttp1 } from '../support/agents.ts';
import { aGateway, mcpHeaders, post, request, type GatewayWorld } from '../support/gateway.ts';
import { until } from '../support/until.ts';

describe('calls on an agent’s one stream', () => {
  /** A server that takes everything and answers nothing. */
  async function silent(limits: object): Promise<{ world: GatewayWorld; path: string }> {
    const server = createServer((message, response) => {
      message.resume();
      if (message.method !== 'GET') return void response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: endpoint\ndata: /messages\n\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/sse`;
    const listener = new HttpServer({ url, headers: {}, clock: systemClock });
    const upstream = new SseAgents(listener, listener);
    onTestFinished(() => upstream.close());
    await upstream.check(new AbortController().signal);
    const world = await aGateway({ behind: upstream, policy: { limits } });
    const headers = { ...mcpHeaders(world.token), accept: 'text/event-stream' };
    const stream = await openHttp1(world.target, { path: '/mcp', headers });
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString())).on('error', () => {});
    onTestFinished(() => void stream.destroy());
    await until(() => text.includes('\n\n'));
    return { world, path: /data: (\S+)/.exec(text)![1]! };
  }

  it('that are withdrawn count no more, though the server never answers them', async () => {
    const { world, path } = await silent({ maxConcurrent: 3 });
    const statusOf = async (message: object): Promise<number> => (await post(world, message, { path })).status;
    const withdrawal = (requestId: number): object => ({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId },
    });
    for (let id = 1; id <= 5; id += 1) {
      expect([id, await statusOf(request('ping', {}, id))]).toEqual([id, 202]);
      expect([id, await statusOf(withdrawal(id))]).toEqual([id, 202]);
    }
    const pings = world.rows().filter(({ method }) => method === 'ping');
    expect(pings.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'cancelled'));
  });

  it('have one id each: a second one is refused, and the first still waits', async () => {
    const { world, path } = await silent({});
    expect((await post(world, request('ping', {}, 'x'), { path })).status).toBe(202);
    const second = await post(world, request('ping', {}, 'x'), { path });
    expect([second.status, JSON.parse(String(second.body))]).toMatchObject([400, { id: 'x', error: { code: -32600 } }]);
    const pings = world.rows().filter(({ method }) => method === 'ping');
    expect(pings.map(({ status }) => status)).toEqual(['pending', 'error']);
  });
});
