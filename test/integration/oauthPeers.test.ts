// Programs of others, which know nothing of us but the URL: they find the way in, register, send their user to the
// browser and get in, each in its own manner.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aHelper } from '../support/helper.ts';
import { anOAuthTunnel, approve } from '../support/oauth.ts';
import { peerTools, startPeer, withInstallMs } from '../support/peerTools.ts';
import { register } from '../support/oauthRaw.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('programs of others', { timeout: withInstallMs }, () => {
  it('the conformance suite finds an authorization server as it should be', async () => {
    const { node, conformance } = await peerTools();
    const world = await aHelper();
    const tunnel = await anOAuthTunnel(world);
    const port = await freePort();
    const clientId = await register(tunnel, { redirect_uris: [`http://127.0.0.1:${port}/callback`] });
    const args = ['authorization', '--url', tunnel.origin, '--client-id', clientId, '-p', `${port}`];
    const suite = startPeer(node, [conformance, ...args, '--resource', tunnel.url], {
      NODE_EXTRA_CA_CERTS: tunnel.opened.tunnel.caFile ?? '',
    });
    await until(
      () => addressIn(suite.said()) !== undefined,
      30_000,
      () => suite.said(),
    );
    await fetch(await approve(tunnel, addressIn(suite.said())!));
    expect(await suite.ended, suite.said()).toBe(0);
    expect(suite.said()).toContain('Total: 2 passed, 0 failed');
  });

  it('mcp-remote brings a client in that speaks stdio only', async () => {
    const { mcpRemote } = await peerTools();
    const world = await aHelper();
    const tunnel = await anOAuthTunnel(world);
    const home = await temporaryFolder();
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [mcpRemote, tunnel.url],
      env: {
        NODE_EXTRA_CA_CERTS: tunnel.opened.tunnel.caFile ?? '',
        MCP_REMOTE_CONFIG_DIR: home,
        HOME: home,
        PATH: home, // Nothing there that could open a browser.
      },
      stderr: 'pipe',
    });
    let said = '';
    transport.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const client = new Client({ name: 'stdio-agent', version: '1.0.0' });
    onTestFinished(() => client.close());
    const connected = client.connect(transport);
    connected.catch(() => {}); // What it said tells more.
    await until(
      () => addressIn(said) !== undefined,
      30_000,
      () => said,
    );
    await fetch(await approve(tunnel, addressIn(said)!));
    await connected;
    expect(client.getServerVersion()?.name).toBeDefined();
  });
});

function addressIn(said: string): string | undefined {
  return /https:\/\/\S+\/authorize\?\S+/.exec(said)?.[0];
}
