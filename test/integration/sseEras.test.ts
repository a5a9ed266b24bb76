// The oldest agents at the newest servers: HTTP+SSE (2024-11-05) on one side, 2026-07-28 on the other.
import type { LookupFunction } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { expect, it, onTestFinished } from 'vitest';
import { EraBridge } from '../../src/upstream/eras/eraBridge.ts';
import { SseAgents } from '../../src/upstream/sseAgents.ts';
import { fixtureUpstream, type Way } from '../support/eraWorld.ts';
import { aGateway, authorityOf } from '../support/gateway.ts';

it.each<Way>(['http', 'stdio'])('calls a tool that asks something before it answers, over %s', async (way) => {
  const bridge = new EraBridge({ upstream: await fixtureUpstream(way, 'modern') });
  onTestFinished(() => bridge.close());
  const { target, token } = await aGateway({ behind: new SseAgents(bridge) });
  const lookup: LookupFunction = (_name, { all }, found) =>
    all ? found(null, [{ address: '127.0.0.1', family: 4 }]) : found(null, '127.0.0.1', 4);
  const dispatcher = new Agent({ connect: { ca: target.ca, lookup } });
  onTestFinished(() => dispatcher.destroy());
  const fetch = ((input: string | URL, init?: RequestInit) =>
    undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof globalThis.fetch;
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const client = new Client({ name: 'old-agent', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
  onTestFinished(() => client.close());
  await client.connect(new SSEClientTransport(new URL(`https://${authorityOf(target)}/mcp`), { fetch, requestInit }));
  const { content } = await client.callTool({ name: 'test_input_required_result_elicitation' });
  expect(content).toEqual([{ type: 'text', text: 'Hello, Ada!' }]);
});
