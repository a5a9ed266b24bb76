// Agents of the older eras (SDK v1) at a server that speaks only 2026-07-28, over HTTP and stdio.
import { describe, expect, it, vi } from 'vitest';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { eraWorld, fixtureUpstream, legacyAgent, type EraWorld, type Way } from '../../support/eraWorld.ts';
import { until } from '../../support/until.ts';

const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

/** Answers whatever it is asked. */
function answering(client: Client): void {
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'Paris' },
  }));
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => ({
    action: 'accept',
    content: params.message.includes('color')
      ? { color: 'red' }
      : params.message.includes('name')
        ? { name: 'Ada' }
        : { ok: true },
  }));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///work' }] }));
}

describe.each<Way>(['http', 'stdio'])('an agent of an older era at a modern server over %s', (way) => {
  const world = async (): Promise<EraWorld> => eraWorld(await fixtureUpstream(way, 'modern'));
  const callText = async (client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> => {
    const { content } = await client.callTool({ name, arguments: args });
    return (content as { text?: string }[]).map(({ text }) => text ?? '').join();
  };

  it('is given a session, and uses tools, prompts, resources and completion', async () => {
    const { url, noted } = await world();
    const client = await legacyAgent(url);
    expect(client.getServerVersion()?.name).toBe('both-eras');
    expect(client.getInstructions()).toBe('Answers what the conformance suites ask.');
    expect(client.getServerCapabilities()?.tools?.listChanged).toBe(true);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('test_simple_text');
    expect(await callText(client, 'test_simple_text')).toBe('This is a simple text response for testing.');
    expect((await client.callTool({ name: 'test_error_handling' })).isError).toBe(true);
    const { prompts } = await client.listPrompts();
    const simple = prompts.find(({ name }) => name === 'test_simple_prompt');
    expect(simple).toBeDefined();
    expect((await client.getPrompt({ name: 'test_simple_prompt' })).messages).toHaveLength(1);
    const { resources } = await client.listResources();
    expect((await client.readResource({ uri: resources[0]!.uri })).contents).toHaveLength(1);
    expect(await client.ping()).toEqual({});
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
      argument: { name: 'arg1', value: 'a' },
    });
    expect(completion.values).toBeInstanceOf(Array);
    expect(noted.forms.some(({ text }) => text.includes('io.modelcontextprotocol/clientCapabilities'))).toBe(true);
  });

  it('hears progress while a tool works', async () => {
    const { url } = await world();
    const client = await legacyAgent(url);
    const progress: number[] = [];
    await client.callTool({ name: 'test_tool_with_progress' }, undefined, {
      onprogress: ({ progress: now }) => void progress.push(now),
    });
    expect(progress).toEqual([0, 50, 100]);
  });

  it('hears log messages of the level that it set, and none before', async () => {
    const { url } = await world();
    const logs: unknown[] = [];
    const client = await legacyAgent(url, {}, (one) =>
      one.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logs.push(params.data)),
    );
    await client.callTool({ name: 'test_tool_with_logging' });
    expect(logs).toEqual([]);
    await client.setLoggingLevel('info');
    await client.callTool({ name: 'test_tool_with_logging' });
    await until(() => logs.length === 3); // They may come on the session’s own stream, beside the answer.
  });

  it.each([
    ['sampling', 'Paris'],
    ['elicitation', 'Hello, Ada!'],
    ['list_roots', 'file:///work'],
    ['request_state', 'state-ok'],
    ['multi_round', 'Ada likes red.'],
    ['multiple_inputs', 'All three came.'],
  ])('is asked for what the server needs (%s), and the call goes on with its answers', async (tool, said) => {
    const { url } = await world();
    const client = await legacyAgent(url, capabilities, answering);
    expect(await callText(client, `test_input_required_result_${tool}`)).toBe(said);
  });

  it('is asked in the middle of a prompt, too', async () => {
    const { url } = await world();
    const client = await legacyAgent(url, capabilities, (one) =>
      one.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { context: 'here' } })),
    );
    const { messages } = await client.getPrompt({ name: 'test_input_required_result_prompt' });
    expect(messages[0]?.content).toEqual({ type: 'text', text: 'Context: here' });
  });

  it('reads why a call fails that needs what the agent cannot do', async () => {
    const { url } = await world();
    const client = await legacyAgent(url);
    const said = await client.callTool({ name: 'test_missing_capability' }).then(
      (result) => JSON.stringify(result),
      (error: Error) => error.message,
    );
    expect(said).toMatch(/sampling|capabilit/i);
  });

  it('hears that a list changed', async () => {
    const { url } = await world();
    const changed = vi.fn();
    const client = await legacyAgent(url, {}, (one) =>
      one.setNotificationHandler(ToolListChangedNotificationSchema, changed),
    );
    await until(async () => {
      await client.callTool({ name: 'test_trigger_tool_change' });
      return changed.mock.calls.length > 0;
    });
  });

  it('sends the headers that a tool’s schema asks for, without having listed the tools', async () => {
    const { url } = await world();
    const client = await legacyAgent(url);
    expect(await callText(client, 'test_custom_headers', { region: 'Nürnberg' })).toBe('In Nürnberg.');
  });

  it('cancels a call at the server', async () => {
    const { url, noted } = await world();
    const client = await legacyAgent(url);
    const controller = new AbortController();
    const call = client.callTool({ name: 'record_call', arguments: { call: 'x', holdMs: 60_000 } }, undefined, {
      signal: controller.signal,
    });
    call.catch(() => undefined);
    await until(() => noted.forms.some(({ text }) => text.includes('record_call')));
    controller.abort();
    await expect(call).rejects.toThrow();
    expect(await callText(client, 'test_simple_text')).toContain('simple text');
  });

  it('is told that a resource is missing with the number of its era', async () => {
    const { url } = await world();
    const client = await legacyAgent(url);
    await expect(client.readResource({ uri: 'test://missing' })).rejects.toMatchObject({ code: -32002 });
  });

  it('is refused a task of 2025-11-25, and reads why', async () => {
    const { url } = await world();
    const client = await legacyAgent(url);
    const call = client.callTool({ name: 'test_simple_text', task: { ttl: 1 } });
    await expect(call).rejects.toThrow(/cannot run this as a task of 2025-11-25/);
  });

  it('hears of resources it subscribed to, and of no others', async () => {
    const { url } = await world();
    const updated: string[] = [];
    const client = await legacyAgent(url, {}, (one) =>
      one.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void updated.push(params.uri)),
    );
    const { resources } = await client.listResources();
    const { uri } = resources[0]!;
    expect(await client.subscribeResource({ uri })).toEqual({});
    expect(await client.unsubscribeResource({ uri })).toEqual({});
    expect(updated).toEqual([]);
  });
});
