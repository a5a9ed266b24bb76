// An agent that can be given no token pairs, through the tunnel: the MCP SDK's own client asks, a person reads a number
// in a browser, the developer types it.
import { describe, expect, it } from 'vitest';
import { aHelper } from '../support/helper.ts';
import { anOAuthTunnel, call, connectPaired, pairSdkAgent } from '../support/oauth.ts';

describe('an agent that asks to be let in', () => {
  it('is let in by the developer who types the number, and calls', async () => {
    const world = await aHelper();
    const tunnel = await anOAuthTunnel(world);
    const agent = await pairSdkAgent(tunnel);
    expect(agent.access).toMatch(/^mcpa_/);
    expect(agent.refresh).toMatch(/^mcpr_/);
    expect((await call(tunnel, agent.access)).status).toBe(200);
    const client = await connectPaired(tunnel, agent.provider);
    expect(client.getServerVersion()?.name).toBeDefined();
  });
});
