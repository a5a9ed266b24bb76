// A tunnel offered over stdio, as the editor's chat gets it: the SDK's own stdio client in front of a real tunnel.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { exposeEverything, root, type Ready } from '../support/command.ts';
import { processes } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

const script = join(root, 'dist/tunnelBridge.js');

async function connected(ready: Ready, token: string) {
  const env = {
    MCP_TUNNEL_BRIDGE_URL: ready.loopbackUrl,
    MCP_TUNNEL_BRIDGE_TOKEN: token,
    MCP_TUNNEL_BRIDGE_CA: ready.caFile,
  };
  const transport = new StdioClientTransport({ command: process.execPath, args: [script], env, stderr: 'ignore' });
  const client = new Client({ name: 'chat', version: '1' });
  onTestFinished(() => client.close());
  await client.connect(transport);
  return { client, pid: transport.pid! };
}

describe('a tunnel over stdio', () => {
  it('is the server behind it, progress and answers alike, and ends with its client', async () => {
    const { ready } = await exposeEverything(await temporaryFolder());
    const { client, pid } = await connected(ready, ready.token);
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    let progress = 0;
    const slow = { name: 'trigger-long-running-operation', arguments: { duration: 0.4, steps: 4 } };
    await client.callTool(slow, undefined, { onprogress: () => (progress += 1) });
    expect(progress).toBeGreaterThanOrEqual(3); // The SDK drops one that comes in the same read as the answer.
    expect((await processes()).some(({ command }) => command.includes(ready.token))).toBe(false);
    await client.close();
    await until(async () => !(await processes()).some((running) => running.pid === pid));
  });

  it('tells its client why it is not let in', async () => {
    const { ready } = await exposeEverything(await temporaryFolder());
    await expect(connected(ready, 'mcpt_wrong')).rejects.toThrow(/401|Unauthorized|token/i);
  });
});
