// The SDK's own client, through everything a tunnel puts in front of a server, while that server is restarted: it notices
// nothing but a changed list.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { LookupFunction } from 'node:net';
import { Agent, fetch as undiciFetch } from 'undici';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { EraBridge } from '../../src/upstream/eras/eraBridge.ts';
import { HttpServer } from '../../src/upstream/httpServer.ts';
import { SseAgents } from '../../src/upstream/sseAgents.ts';
import type { UpstreamEvent } from '../../src/upstream/upstream.ts';
import { aGateway, authorityOf } from '../support/gateway.ts';
import { Restartable } from '../support/restartable.ts';
import { until } from '../support/until.ts';

it('an agent of the SDK lives through three restarts of its server with one session', async () => {
  const server = await new Restartable().start();
  const listener = new HttpServer({ url: server.url, headers: {}, clock: systemClock }, { baseMs: 5, maxDelayMs: 50 });
  const events: UpstreamEvent[] = [];
  listener.onEvent((event) => events.push(event));
  const behind = new SseAgents(new EraBridge({ upstream: listener, clock: systemClock }), listener);
  onTestFinished(() => behind.close());
  const world = await aGateway({ behind });

  const lookup: LookupFunction = (_name, { all }, found) =>
    all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4);
  const dispatcher = new Agent({ connect: { ca: world.target.ca, lookup } });
  const transport = new StreamableHTTPClientTransport(new URL(`https://${authorityOf(world.target)}/mcp`), {
    fetch: ((input: string | URL, init?: RequestInit) =>
      undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof fetch,
    requestInit: { headers: { authorization: `Bearer ${world.token}` } },
  });
  const client = new Client({ name: 'agent', version: '1' });
  const changed: string[] = [];
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changed.push('tools'));
  client.setNotificationHandler(ResourceListChangedNotificationSchema, () => void changed.push('resources'));
  onTestFinished(async () => {
    await client.close();
    await dispatcher.destroy();
  });
  await client.connect(transport);
  const { sessionId } = transport;
  await until(() => server.sessions.some((id) => server.hasStream(id)));

  for (let restart = 1; restart <= 3; restart += 1) {
    await server.restart();
    await client.request({ method: 'tools/list' }, z.looseObject({}));
    expect(server.sessions).toHaveLength(1);
    // The stream that it listens to goes on by itself.
    await until(() => changed.length === 2 * restart);
    await until(() => server.hasStream(server.sessions[0]!));
  }
  expect(transport.sessionId).toBe(sessionId);
  expect(server.methods().filter((method) => method === 'initialize')).toHaveLength(4);
  expect(events.filter(({ kind }) => kind === 'returned')).toHaveLength(3);
  const calls = world.rows().filter(({ method }) => method === 'tools/list');
  expect(calls.map(({ status, flags }) => ({ status, flags }))).toEqual(
    calls.map(() => ({ status: 'ok', flags: ['remapped'] })),
  );
});
