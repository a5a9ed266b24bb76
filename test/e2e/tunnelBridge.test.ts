// A tunnel offered over stdio, as the editor's chat gets it: the SDK's own stdio client in front of a real tunnel.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

  it('ends with its client where the tunnel answers nothing any more, and is not ended by a line that is no message', async () => {
    const server = createServer((request, response) => {
      if (request.method !== 'POST') return; // Neither the end of the session nor a stream is answered.
      request.resume();
      const result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'a', version: '1' } };
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const env = { MCP_TUNNEL_BRIDGE_URL: `http://127.0.0.1:${port}/mcp`, MCP_TUNNEL_BRIDGE_TOKEN: 'x' };
    const child = spawn(process.execPath, [script], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    child.stdin.write('no message\nnull\n{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n');
    await once(child.stdout, 'data');
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('tells its client why it is not let in', async () => {
    const { ready } = await exposeEverything(await temporaryFolder());
    await expect(connected(ready, 'mcpt_wrong')).rejects.toThrow(/401|Unauthorized|token/i);
  });
});
