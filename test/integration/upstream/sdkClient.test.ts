// The official client against the reference server, once through a stdio upstream and once through an HTTP one:
// everything the 2025-11-25 revision does in both directions must look the same from the agent's side.
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { HttpUpstream } from '../../../src/upstream/httpUpstream.ts';
import { StdioUpstream } from '../../../src/upstream/stdioUpstream.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { until } from '../../support/until.ts';
import { serveUpstream, type UpstreamServer } from '../../support/upstreamServer.ts';

const everything = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');

describe.each(['stdio', 'http'] as const)('server-everything behind a %s upstream', (kind) => {
  let upstream: Upstream;
  let server: UpstreamServer;
  const ends: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    if (kind === 'stdio') {
      upstream = new StdioUpstream({
        command: process.execPath,
        args: [everything, 'stdio'],
        env: {},
        cwd: process.cwd(),
      });
    } else {
      const listener = await startListener();
      ends.push(listener.end);
      upstream = new HttpUpstream({ url: listener.url, headers: {}, clock: systemClock });
    }
    server = await serveUpstream(upstream);
  });
  afterAll(async () => {
    await server.close();
    await upstream.close();
    for (const end of ends) await end();
  });

  async function connected(): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
    const client = new Client(
      { name: 'test', version: '1' },
      { capabilities: { sampling: {}, elicitation: {}, roots: { listChanged: true } } },
    );
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///here', name: 'here' }] }));
    const transport = new StreamableHTTPClientTransport(new URL(server.url));
    await client.connect(transport);
    onTestFinished(() => client.close());
    return { client, transport };
  }

  it('answers check', async () => {
    await upstream.check(new AbortController().signal);
  });

  it('initialises, lists and calls tools', async () => {
    const { client, transport } = await connected();
    expect(transport.sessionId).toMatch(/^[\x21-\x7e]+$/);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('echo');
    const { content } = await client.callTool({ name: 'echo', arguments: { message: 'grüße\n😀' } });
    expect(content).toEqual([{ type: 'text', text: 'Echo: grüße\n😀' }]);
  });

  it('streams progress while the call runs', async () => {
    const { client } = await connected();
    const progress: number[] = [];
    let isDone = false;
    const result = client
      .callTool({ name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 4 } }, undefined, {
        onprogress: (step) => {
          expect(isDone).toBe(false);
          progress.push(step.progress);
        },
      })
      .finally(() => (isDone = true));
    expect(JSON.stringify(await result)).toContain('completed');
    expect(progress).toEqual([1, 2, 3, 4]);
  });

  it('brings the server’s requests to the agent and the answers back: sampling, elicitation, roots', async () => {
    const { client } = await connected();
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
      model: 'test',
      role: 'assistant',
      content: { type: 'text', text: `sampled ${JSON.stringify(params.messages).length > 0}` },
    }));
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ada' } }));
    const sampled = await client.callTool({
      name: 'trigger-sampling-request',
      arguments: { prompt: 'p', maxTokens: 5 },
    });
    expect(JSON.stringify(sampled)).toContain('sampled true');
    const elicited = await client.callTool({ name: 'trigger-elicitation-request', arguments: {} });
    expect(JSON.stringify(elicited)).toContain('Ada');
    // The server asks for the roots by itself; only then it offers the tool that lists them.
    await until(async () => (await client.listTools()).tools.some(({ name }) => name === 'get-roots-list'));
    const roots = await client.callTool({ name: 'get-roots-list', arguments: {} });
    expect(JSON.stringify(roots)).toContain('file:///here');
  });

  it('reads resources and templates, gets prompts, completes', async () => {
    const { client } = await connected();
    const { resources } = await client.listResources();
    const [resource] = resources;
    expect((await client.readResource({ uri: resource!.uri })).contents).not.toEqual([]);
    expect((await client.listResourceTemplates()).resourceTemplates).not.toEqual([]);
    const { prompts } = await client.listPrompts();
    expect(prompts.map(({ name }) => name)).toContain('simple-prompt');
    expect((await client.getPrompt({ name: 'simple-prompt' })).messages).not.toEqual([]);
    const ref = { type: 'ref/prompt' as const, name: 'completable-prompt' };
    const { completion } = await client.complete({ ref, argument: { name: 'department', value: 'E' } });
    expect(completion.values).toEqual(['Engineering']);
  });

  it('brings logging and subscribed resources, which belong to no call', async () => {
    const { client } = await connected();
    const heard: string[] = [];
    client.setNotificationHandler(LoggingMessageNotificationSchema, () => void heard.push('log'));
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => void heard.push('updated'));
    await client.setLoggingLevel('debug');
    await client.callTool({ name: 'toggle-simulated-logging', arguments: {} });
    await until(() => heard.includes('log'));
    const [template] = (await client.listResources()).resources;
    await client.subscribeResource({ uri: template!.uri });
    await client.callTool({ name: 'toggle-subscriber-updates', arguments: {} });
    await until(() => heard.includes('updated'), 15_000);
  });

  it('passes on the errors of tools and of calls as they are', async () => {
    const { client } = await connected();
    expect(await client.callTool({ name: 'no-such-tool', arguments: {} })).toMatchObject({ isError: true });
    await expect(client.getPrompt({ name: 'no-such-prompt' })).rejects.toMatchObject({ code: -32602 });
  });

  it('cancels a call and goes on with the next', async () => {
    const { client } = await connected();
    const controller = new AbortController();
    const call = client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 60, steps: 60 } },
      undefined,
      {
        signal: controller.signal,
        onprogress: () => controller.abort(),
      },
    );
    await expect(call).rejects.toThrow();
    expect(await client.callTool({ name: 'echo', arguments: { message: 'after' } })).toMatchObject({
      content: [{ text: 'Echo: after' }],
    });
  });

  it('ends the session with DELETE; the next call is told that it is gone', async () => {
    const { client, transport } = await connected();
    const { sessionId } = transport;
    await transport.terminateSession();
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-session-id': sessionId!,
    };
    const response = await fetch(server.url, {
      method: 'POST',
      headers,
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    });
    await response.arrayBuffer();
    // The reference server itself answers 400 here; ours is the 404 of the specification.
    expect(response.status).toBe(kind === 'stdio' ? 404 : 400);
    await client.close();
  });

  it('serves ten agents at once', async () => {
    const clients = await Promise.all(Array.from({ length: 10 }, () => connected()));
    const texts = await Promise.all(
      clients.map(async ({ client }, index) => {
        const calls = Array.from({ length: 10 }, (_, call) =>
          client.callTool({ name: 'echo', arguments: { message: `${index}/${call}` } }),
        );
        return (await Promise.all(calls)).map((result) => (result.content as { text: string }[])[0]?.text);
      }),
    );
    expect(texts).toEqual(
      Array.from({ length: 10 }, (_, index) => Array.from({ length: 10 }, (_unused, call) => `Echo: ${index}/${call}`)),
    );
  });
});

async function startListener(): Promise<{ url: string; end: () => Promise<void> }> {
  const port = await freePort();
  const child = spawn(process.execPath, [everything, 'streamableHttp'], {
    env: { ...process.env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  const url = `http://localhost:${port}/mcp`;
  await until(
    () =>
      fetch(url, { method: 'OPTIONS' }).then(
        () => true,
        () => false,
      ),
    20_000,
    () => `the listener did not start: ${said}`,
  );
  return { url, end };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
