// The clients of the matrix: each comes in through a tunnel with a URL, a token and a CA, lists the tools, calls one,
// and reads a resource and a prompt where there are any. Whatever is not as it should be is thrown.
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { fetch as undiciFetch } from 'undici';
import { onTestFinished } from 'vitest';
import type { Ready } from '../support/command.ts';
import { peerTools, startPeer } from '../support/peerTools.ts';
import { connectSdkAgent, dispatcherFor } from '../support/sdkAgent.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import type { MatrixServer } from './servers.ts';

export type MatrixClient = { name: string; visit: (ready: Ready, server: MatrixServer) => Promise<void> };

export const clients: readonly MatrixClient[] = [
  { name: 'SDK v1', visit: async (ready, server) => lookAround((await connectSdkAgent(ready)).client, server) },
  { name: 'SDK v2 legacy', visit: (ready, server) => withV2(ready, server, 'legacy') },
  { name: 'SDK v2 modern', visit: (ready, server) => withV2(ready, server, { pin: '2026-07-28' }) },
  { name: 'SDK v2 auto', visit: (ready, server) => withV2(ready, server, 'auto') },
  { name: 'mcp-remote', visit: withMcpRemote },
  { name: 'inspector', visit: withInspector },
];

/** What the clients of both SDK versions have in common. */
type AnyClient = Pick<
  Client,
  'listTools' | 'callTool' | 'listResources' | 'readResource' | 'listPrompts' | 'getPrompt'
>;

async function lookAround(client: AnyClient, { tool, resource, prompt }: MatrixServer): Promise<void> {
  const { tools } = await client.listTools();
  holds(
    tools.map(({ name }) => name),
    tool.name,
  );
  holds(await client.callTool({ name: tool.name, arguments: tool.arguments }), tool.answers);
  if (resource !== undefined) {
    holds((await client.listResources()).resources, resource);
    holds((await client.readResource({ uri: resource })).contents, resource);
  }
  if (prompt !== undefined) {
    holds((await client.listPrompts()).prompts, prompt);
    holds(await client.getPrompt({ name: prompt }), '"role":"user"');
  }
}

async function withV2(ready: Ready, server: MatrixServer, mode: 'legacy' | 'auto' | { pin: string }): Promise<void> {
  const dispatcher = await dispatcherFor(ready.url, ready.caFile);
  const client = new ClientV2({ name: 'matrix', version: '1.0.0' }, { versionNegotiation: { mode } });
  onTestFinished(async () => {
    await client.close();
    await dispatcher.destroy();
  });
  const transport = new HttpV2(new URL(ready.url), {
    fetch: ((input: string | URL, init?: RequestInit) =>
      undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof fetch,
    requestInit: { headers: { authorization: `Bearer ${ready.token}` } },
  });
  await client.connect(transport);
  await lookAround(client as unknown as AnyClient, server);
}

async function withMcpRemote({ loopbackUrl, token, caFile }: Ready, server: MatrixServer): Promise<void> {
  const { mcpRemote } = await peerTools();
  const home = await temporaryFolder();
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [mcpRemote, loopbackUrl, '--header', `Authorization: Bearer ${token}`],
    env: { NODE_EXTRA_CA_CERTS: caFile, MCP_REMOTE_CONFIG_DIR: home, HOME: home, PATH: home },
    stderr: 'ignore',
  });
  const client = new Client({ name: 'matrix', version: '1.0.0' });
  onTestFinished(() => client.close());
  await client.connect(transport);
  await lookAround(client, server);
}

/** One start for each question, as people type it. */
async function withInspector(ready: Ready, { tool, resource, prompt }: MatrixServer): Promise<void> {
  const given = Object.entries(tool.arguments).flatMap(([name, value]) => ['--tool-arg', `${name}=${value}`]);
  await Promise.all([
    inspect(ready, ['tools/list'], tool.name),
    inspect(ready, ['tools/call', '--tool-name', tool.name, ...given], tool.answers),
    ...(resource === undefined ? [] : [inspect(ready, ['resources/read', '--uri', resource], resource)]),
    ...(prompt === undefined ? [] : [inspect(ready, ['prompts/get', '--prompt-name', prompt], '"role"')]),
  ]);
}

async function inspect({ loopbackUrl, token, caFile }: Ready, method: string[], expected: string): Promise<void> {
  const { node, inspector } = await peerTools();
  const access = ['--server-url', loopbackUrl, '--transport', 'http', '--header', `Authorization: Bearer ${token}`];
  const peer = startPeer(node, [inspector, '--cli', ...access, '--method', ...method], { NODE_EXTRA_CA_CERTS: caFile });
  const code = await peer.ended;
  if (code !== 0) throw new Error(`${method[0]} ended with ${code}: ${peer.said().slice(-500)}`);
  holds(peer.said(), expected);
}

function holds(found: unknown, expected: string): void {
  const text = typeof found === 'string' ? found : JSON.stringify(found);
  if (!text.includes(expected)) throw new Error(`${expected} is not in ${text.slice(0, 300)}`);
}
