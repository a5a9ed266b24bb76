// Agents of 2026-07-28 (SDK v2) at servers that speak only older eras, over HTTP and stdio.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Client } from '@modelcontextprotocol/client';
import {
  commandUpstream,
  eraWorld,
  everything,
  fixtureUpstream,
  httpUpstreamAt,
  modernAgent,
  type EraWorld,
  type Way,
} from '../../support/eraWorld.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { until } from '../../support/until.ts';

const capabilities = { sampling: {}, elicitation: {}, roots: {} };

/** Answers whatever it is asked. */
function answering(client: Client): void {
  client.setRequestHandler('sampling/createMessage', () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'Paris' },
  }));
  client.setRequestHandler('elicitation/create', () => ({
    action: 'accept',
    content: { username: 'ada', email: 'ada@example.com' },
  }));
  client.setRequestHandler('roots/list', () => ({ roots: [{ uri: 'file:///work' }] }));
}

async function callText(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args });
  return (content as { text?: string }[]).map(({ text }) => text ?? '').join();
}

describe.each<Way>(['http', 'stdio'])('a modern agent at a server of an older era over %s', (way) => {
  const world = async (): Promise<EraWorld> => eraWorld(await fixtureUpstream(way, 'legacy'));

  it.each([{ pin: '2026-07-28' }, 'auto' as const])(
    'finds the server by its own era (%j), and uses what it has',
    async (mode) => {
      const { url, noted } = await world();
      const client = await modernAgent(url, {}, undefined, mode);
      expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
      expect(client.getServerVersion()?.name).toBe('both-eras');
      expect(client.getInstructions()).toBe('Answers what the conformance suites ask.');
      expect((await client.listTools()).tools.map(({ name }) => name)).toContain('test_simple_text');
      expect(await callText(client, 'test_simple_text')).toBe('This is a simple text response for testing.');
      expect((await client.callTool({ name: 'test_error_handling' })).isError).toBe(true);
      expect((await client.getPrompt({ name: 'test_simple_prompt' })).messages).toHaveLength(1);
      const { resources } = await client.listResources();
      expect((await client.readResource({ uri: resources[0]!.uri })).contents).toHaveLength(1);
      const { completion } = await client.complete({
        ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
        argument: { name: 'arg1', value: 'a' },
      });
      expect(completion.values).toBeInstanceOf(Array);
      const toServer = noted.forms.filter(({ direction }) => direction === 'agent-to-server').map(({ text }) => text);
      expect(toServer.some((text) => text.includes('test_simple_text'))).toBe(true);
      expect(toServer.some((text) => text.includes('io.modelcontextprotocol/'))).toBe(false);
    },
  );

  it('hears progress and, where it asks for them, log messages', async () => {
    const { url } = await world();
    const logs: unknown[] = [];
    const client = await modernAgent(url, {}, (one) =>
      one.setNotificationHandler('notifications/message', ({ params }) => void logs.push(params.data)),
    );
    const progress: number[] = [];
    const onprogress = ({ progress: now }: { progress: number }): void => void progress.push(now);
    await client.callTool({ name: 'test_tool_with_progress' }, { onprogress });
    expect(progress).toEqual([0, 50, 100]);
    await client.callTool({ name: 'test_tool_with_logging' });
    expect(logs).toEqual([]);
    await client.callTool({
      name: 'test_tool_with_logging',
      _meta: { 'io.modelcontextprotocol/logLevel': 'info' },
    });
    await until(() => logs.length === 3);
  });

  it.each([
    ['test_sampling', { prompt: 'Capital of France?' }, 'LLM response: Paris'],
    [
      'test_elicitation',
      { message: 'Who?' },
      'User response: action=accept, content={"username":"ada","email":"ada@example.com"}',
    ],
  ])('answers what the server asks in the middle of %s, once for one call', async (tool, args, said) => {
    const { url, noted } = await world();
    const client = await modernAgent(url, capabilities, answering);
    expect(await callText(client, tool, args)).toBe(said);
    const calls = noted.forms.filter(
      ({ direction, text }) => direction === 'agent-to-server' && text.includes('"tools/call"'),
    );
    expect(calls).toHaveLength(1);
  });

  it('lets the server know that the agent cannot be asked', async () => {
    const { url } = await world();
    const client = await modernAgent(url);
    const { isError, content } = await client.callTool({ name: 'test_sampling', arguments: { prompt: 'x' } });
    expect(isError).toBe(true);
    expect(JSON.stringify(content)).toMatch(/sampling/);
  });

  it('hears that a list changed, on the stream that it opened for it', async () => {
    const { url } = await world();
    const changed = vi.fn();
    const client = await modernAgent(url, {}, (one) =>
      one.setNotificationHandler('notifications/tools/list_changed', changed),
    );
    const subscription = await client.listen({ toolsListChanged: true });
    expect(subscription.honoredFilter).toEqual({ toolsListChanged: true });
    await client.callTool({ name: 'test_trigger_tool_change' });
    await until(() => changed.mock.calls.length > 0);
    await subscription.close();
  });

  it('cancels a call at the server by leaving', async () => {
    const { url } = await world();
    const client = await modernAgent(url);
    const controller = new AbortController();
    const call = client.callTool(
      { name: 'record_call', arguments: { call: 'x', holdMs: 60_000 } },
      { signal: controller.signal },
    );
    call.catch(() => undefined);
    controller.abort();
    await expect(call).rejects.toThrow();
    expect(await callText(client, 'test_simple_text')).toContain('simple text');
  });

  it('is told that a resource is missing with the number of its era', async () => {
    const { url } = await world();
    const client = await modernAgent(url);
    await expect(client.readResource({ uri: 'test://missing' })).rejects.toMatchObject({ code: -32602 });
  });

  it('comes to the answer of a call whose stream the server ends early', async () => {
    const { url } = await world();
    const client = await modernAgent(url);
    expect(await callText(client, 'test_reconnection')).toBe('Whoever reads this came back for it.');
  });
});

describe.each<Way>(['stdio', 'http'])('a modern agent at server-everything over %s', (way) => {
  it('uses its tools, and samples for it', async () => {
    const server =
      way === 'stdio' ? commandUpstream([process.execPath, everything, 'stdio']) : await everythingOverHttp();
    const { url } = await eraWorld(server);
    const client = await modernAgent(url, capabilities, answering);
    expect(await callText(client, 'echo', { message: 'hello' })).toBe('Echo: hello');
    const { tools } = await client.listTools();
    const sampling = tools.find(({ name }) => /sampl/i.test(name))!;
    expect(await callText(client, sampling.name, { prompt: 'x', maxTokens: 10 })).toMatch(/Paris/);
    const { resources } = await client.listResources();
    expect((await client.readResource({ uri: resources[0]!.uri })).contents).toHaveLength(1);
  });
});

/** On a port of its own; ended with the test. */
async function everythingOverHttp(): Promise<Upstream> {
  const finder = createServer().listen(0, '127.0.0.1');
  await once(finder, 'listening');
  const { port } = finder.address() as AddressInfo;
  finder.close();
  await once(finder, 'close');
  const child = spawn(process.execPath, [everything, 'streamableHttp'], {
    env: { ...process.env, PORT: `${port}` },
    stdio: 'ignore',
  });
  onTestFinished(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'close');
  });
  const url = `http://localhost:${port}/mcp`;
  const answers = (): Promise<boolean> =>
    fetch(url, { method: 'OPTIONS' }).then(
      () => true,
      () => false,
    );
  await until(answers, 20_000);
  return httpUpstreamAt(url);
}
