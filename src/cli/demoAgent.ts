// The demo's agent: the MCP SDK's own client, which knows nothing but the public URL, the token and the CA file.
// Node does not resolve `*.localhost`, so its dispatcher gets a look-up for that one name; the TLS name, the SNI and
// the Host header stay the real ones, and the connection goes through the edge like any other.
import { readFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { TunnelError } from '../core/errors.ts';

export type DemoAgentOptions = { url: string; token: string; caFile: string };

/** What the agent does, step by step; `said` gets one line for each. Throws when any of it does not happen. */
export async function runDemoAgent(options: DemoAgentOptions, said: (line: string) => void): Promise<void> {
  const dispatcher = await dispatcherFor(options);
  const client = new Client({ name: 'demo-agent', version: '1.0.0' });
  try {
    const transport = new StreamableHTTPClientTransport(new URL(options.url), {
      fetch: fetchThrough(dispatcher),
      requestInit: { headers: { authorization: `Bearer ${options.token}` } },
    });
    await client.connect(transport);
    said(`initialized: ${client.getServerVersion()?.name} ${client.getServerVersion()?.version}`);

    const { tools } = await client.listTools();
    demand(tools.some((tool) => tool.name === 'echo') && !tools.some((tool) => tool.name === 'get-env'), 'tools/list');
    said(`tools/list: ${tools.length} tools; get-env, which the policy denies, is not among them`);

    let progress = 0;
    const slow = { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 4 } };
    await client.callTool(slow, undefined, { onprogress: () => (progress += 1) });
    demand(progress >= 4, 'progress notifications');
    said(`tools/call ${slow.name}: ${progress} progress notifications arrived over SSE`);

    const { resources } = await client.listResources();
    const uri = resources[0]?.uri;
    demand(uri !== undefined, 'resources/list');
    const { contents } = await client.readResource({ uri: uri! });
    demand(contents.length > 0, 'resources/read');
    said(`resources/read ${uri}`);

    const { messages } = await client.getPrompt({ name: 'simple-prompt' });
    demand(messages.length > 0, 'prompts/get');
    said('prompts/get simple-prompt');

    const refusal = await client.callTool({ name: 'get-env', arguments: {} }).then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    demand(refusal?.includes('-32010') === true, 'the refusal of get-env');
    said(`refused: tools/call get-env → ${refusal}`);
    await transport.terminateSession();
  } finally {
    await client.close();
    await dispatcher.close();
  }
}

/** The HTTP status that a request without a token gets. */
export async function askWithoutToken(options: DemoAgentOptions): Promise<number> {
  const dispatcher = await dispatcherFor(options);
  try {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
    const response = await undiciFetch(options.url, { method: 'POST', headers, body, dispatcher });
    await response.arrayBuffer();
    return response.status;
  } finally {
    await dispatcher.close();
  }
}

async function dispatcherFor({ url, caFile }: DemoAgentOptions): Promise<Agent> {
  const { hostname } = new URL(url);
  const lookup: LookupFunction = (name, { all }, found) => {
    const known = name === hostname;
    if (!known) return found(new Error(`the demo’s agent resolves ${hostname} only`), '', 0);
    if (all) found(null, [{ address: '127.0.0.1', family: 4 }]);
    else found(null, '127.0.0.1', 4);
  };
  return new Agent({ connect: { ca: await readFile(caFile, 'utf8'), lookup } });
}

function fetchThrough(dispatcher: Agent): typeof fetch {
  return ((input: string | URL, init?: RequestInit) =>
    undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof fetch;
}

function demand(happened: boolean, what: string): void {
  if (!happened) throw new TunnelError('UPSTREAM_PROTOCOL', `the demo’s agent did not get what it asked for: ${what}`);
}
